"""`recallwatch audit verify`: check the chain of the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.place import HERE, Place
from monitor.cli.result import PASSED, REGRESSED, Result
from monitor.cli.terminal import AsJson, finish, perform
from monitor.errors import ConfigError

if TYPE_CHECKING:
    from monitor.model.audit import Head


def audit_verify(
    head: Annotated[
        str | None, typer.Option(help="A head noted earlier, as NUMBER:HASH: finds entries that were cut off.")
    ] = None,
    place: Place = HERE,
    as_json: AsJson = False,
) -> None:
    """Verify every entry of the audit log. Exit code 1 if one was changed, removed or added."""
    finish(perform(verify_log(place, _head(head))), as_json)


async def verify_log(place: Place, expected: Head | None) -> Result:
    """Follow the chain, and print the head, which a later check can expect."""
    from monitor.cli.session import open_session
    from monitor.model.audit import verify

    async with open_session(place) as session:
        entries = [entry async for entry in session.audit_entries()]
    result = verify(entries, expected=expected)
    mark = f"{result.head.number}:{result.head.hash}"
    data = {"entries": result.head.number, "head": mark, "problem": result.problem or None}
    if result.problem:
        return Result([f"[bold red]✗[/] {result.problem}"], data, REGRESSED)
    return Result([f"[green]✓[/] {result.head.number:,} entries are whole; head {mark}"], data, PASSED)


def _head(text: str | None) -> Head | None:
    from monitor.model.audit import Head

    if text is None:
        return None
    number, colon, digest = text.partition(":")
    if not colon or not number.isdigit() or len(digest) != 64:
        raise ConfigError("--head", f"{text!r:.90} must be NUMBER:HASH, as `audit verify` prints it")
    return Head(int(number), digest)
