"""`recallwatch diff`: one query in two runs, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.place import HERE, Place
from monitor.cli.result import Result
from monitor.cli.terminal import AsJson, RunId, finish, perform
from monitor.errors import StoreError

if TYPE_CHECKING:
    from monitor.model.runs import Outcome, Run
    from monitor.model.suites import Query, Suite


def diff(
    before: RunId,
    after: RunId,
    query: Annotated[str, typer.Argument(help="The id of the query, the beginning of it, or a part of its text.")],
    place: Place = HERE,
    as_json: AsJson = False,
) -> None:
    """Show a query's ranking in two runs, with the documents that moved, vanished or came."""
    finish(perform(diff_query(place, before, after, query)), as_json)


async def diff_query(place: Place, before: str, after: str, query: str) -> Result:
    """The rankings of one query in two stored runs of one suite."""
    from monitor.cli.identifiers import load_run
    from monitor.cli.session import open_session
    from monitor.reports.query_diff import diff_text, query_diff

    async with open_session(place) as session:
        runs = [await load_run(session.records, name) for name in (before, after)]
        suite = await session.records.load_suite(runs[1].suite_digest)
    if runs[0].suite_name != runs[1].suite_name:
        raise StoreError(f"the runs are of the suites {runs[0].suite_name} and {runs[1].suite_name}; give two of one")
    probe = find_query(suite, query)
    data = query_diff(suite, probe, *(_outcome(run, probe) for run in runs))
    return Result(diff_text(data), {"runs": [run.run_id for run in runs], **data})


def find_query(suite: Suite, name: str) -> Query:
    """The query with this id, this beginning of an id, or this part of a text. Raises StoreError unless it is one."""
    exact = [query for query in suite.queries if query.query_id == name]
    matches = exact or [
        query for query in suite.queries if query.query_id.startswith(name) or name.casefold() in query.text.casefold()
    ]
    if not matches:
        raise StoreError(f'the suite {suite.name} has no query "{name}"')
    if len(matches) > 1:
        names = ", ".join(query.query_id for query in matches[:10])
        raise StoreError(f'"{name}" matches {len(matches)} queries: {names}{", …" if len(matches) > 10 else ""}')
    return matches[0]


def _outcome(run: Run, query: Query) -> Outcome:
    outcome = next((outcome for outcome in run.outcomes if outcome.query_id == query.query_id), None)
    if outcome is None:
        raise StoreError(f"run {run.run_id} did not probe the query {query.query_id}")
    return outcome
