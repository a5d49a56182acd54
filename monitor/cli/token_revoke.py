"""`recallwatch token revoke`: end the validity of a token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.result import Result
from monitor.cli.terminal import DEFAULT_CONFIG, AsJson, By, ConfigPath, finish, perform
from monitor.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path


def token_revoke(
    token: Annotated[str, typer.Argument(help="The id of the token, as `token list` prints it.")],
    by: By,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Revoke a token; a running daemon refuses it at once."""
    finish(perform(revoke(config, token, by)), as_json)


async def revoke(path: Path, token_id: str, by: str) -> Result:
    """Revoke a token. Raises StoreError if it is unknown or was revoked before."""
    from monitor.cli.url_targets import load_with_targets
    from monitor.service import wiring
    from monitor.service.ledger import open_ledger

    async with open_ledger(load_with_targets(path).config) as ledger:
        if not await ledger.revoke_token(token_id, by=by, at=wiring.utc_now()):
            raise StoreError(f"no valid token {token_id}; `recallwatch token list` prints them")
    return Result([f"[green]✓[/] token {token_id} is revoked"], {"token_id": token_id, "revoked_by": by})
