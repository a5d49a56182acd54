"""`recallwatch token list`: the tokens of the HTTP API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monitor.cli.result import Result
from monitor.cli.terminal import DEFAULT_CONFIG, AsJson, ConfigPath, finish, perform

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from monitor.model.access import Token


def token_list(config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """List tokens with their scopes and last use; revoked and expired ones too."""
    finish(perform(list_tokens(config)), as_json)


async def list_tokens(path: Path) -> Result:
    """Every token, newest first."""
    from rich.table import Table

    from monitor.cli.url_targets import load_with_targets
    from monitor.service import wiring
    from monitor.service.ledger import open_ledger

    async with open_ledger(load_with_targets(path).config) as ledger:
        tokens = await ledger.tokens()
    table = Table(
        "token", "name", "scopes", "created", "by", "last used", "status", title="Tokens", title_justify="left"
    )
    now = wiring.utc_now()
    for token in tokens:
        status = "valid" if token.is_valid(now) else "revoked" if token.revoked_at else "expired"
        used, scopes = _minute(token.last_used_at) or "never", " ".join(token.scopes)
        table.add_row(token.token_id, token.name, scopes, _minute(token.created_at), token.created_by, used, status)
    return Result([table], {"tokens": [token_to_dict(token) for token in tokens]})


def token_to_dict(token: Token) -> dict[str, Any]:
    """A token as plain values, without its hash."""
    from monitor.reports.terminal import plain

    return plain(token, leave_out=("hash",))


def _minute(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M}" if at else ""
