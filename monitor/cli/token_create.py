"""`recallwatch token create`: a new token for the HTTP API."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.result import Result
from monitor.cli.terminal import DEFAULT_CONFIG, AsJson, By, ConfigPath, finish, perform
from monitor.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def token_create(
    name: Annotated[str, typer.Argument(help="What the token is for, such as ci.")],
    by: By,
    scope: Annotated[list[str], typer.Option(help="read, deploy, run or admin. Repeatable.")],
    expires: Annotated[str | None, typer.Option(help="How long it is valid, such as 90d; by default for ever.")] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Create a token for the HTTP API; it is printed once and stored as a hash."""
    finish(perform(create(config, name, scope, by, expires)), as_json)


async def create(path: Path, name: str, scopes: list[str], by: str, expires: str | None) -> Result:
    """Store a new token, and return its text."""
    from monitor.cli.token_list import token_to_dict
    from monitor.cli.url_targets import load_with_targets
    from monitor.config.section import parse_duration
    from monitor.service import tokens, wiring
    from monitor.service.ledger import open_ledger

    now = wiring.utc_now()
    try:
        expires_at = now + timedelta(seconds=parse_duration(expires)) if expires else None
    except ValueError as error:
        raise ConfigError("--expires", str(error)) from None
    token, text = tokens.new_token(name, tokens.scopes_of(scopes), by=by, at=now, expires_at=expires_at)
    async with open_ledger(load_with_targets(path).config) as ledger:
        await ledger.add_token(token)
    note = f"Token {token.token_id} for {name}. It is shown only now; send it as Authorization: Bearer …"
    return Result([note, text], token_to_dict(token) | {"token": text})
