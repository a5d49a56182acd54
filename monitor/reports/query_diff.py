"""One query before and after: both rankings side by side, with judgements and the places that documents moved to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from monitor.model.runs import Outcome
from monitor.model.suites import Query, Suite

SHOWN = 10
LONGEST_ID = 28


def query_diff(suite: Suite, query: Query, before: Outcome, after: Outcome) -> dict[str, Any]:
    """The rankings of a query in two runs as plain values.

    ``moves`` has every document of either ranking: its grade (null if it is not judged), whether it is the violating
    document of a pair, and its rank in each run (null if it did not come back).
    """
    grades, violating = grades_of(query), {pair.violating_id for pair in suite.pairs if pair.query_id == query.query_id}
    ranks_before, ranks_now = _ranks(before), _ranks(after)
    return {
        "query_id": query.query_id,
        "query": query.text,
        "stratum": query.stratum,
        "failed_before": str(before.failure.reason) if before.failure else None,
        "failed_now": str(after.failure.reason) if after.failure else None,
        "missing": sorted(doc_id for doc_id, grade in grades.items() if grade > 0 and doc_id not in ranks_now),
        "moves": [
            {
                "doc_id": doc_id,
                "grade": grades.get(doc_id),
                "is_violating": doc_id in violating,
                "rank_before": ranks_before.get(doc_id),
                "rank_now": ranks_now.get(doc_id),
            }
            for doc_id in dict.fromkeys((*ranks_now, *ranks_before))
        ],
        "answer_before": before.reply.answer.text if before.reply and before.reply.answer else None,
        "answer_now": after.reply.answer.text if after.reply and after.reply.answer else None,
    }


def diff_text(diff: Mapping[str, Any]) -> list[RenderableType]:
    """The first ten ranks of both runs, with the change of each document's rank."""
    parts: list[RenderableType] = [Text(f"“{diff['query']}” ({diff['query_id']}, {diff['stratum']})", style="bold")]
    for when, reason in (("before", diff["failed_before"]), ("now", diff["failed_now"])):
        if reason:
            parts.append(f"The probe failed {when}: {reason}.")
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("rank", justify="right", no_wrap=True)
    for name in ("before", "now"):
        table.add_column(name, no_wrap=True, max_width=LONGEST_ID + 10)
    earlier = {move["rank_before"]: move for move in diff["moves"]}
    later = {move["rank_now"]: move for move in diff["moves"]}
    for rank in range(1, SHOWN + 1):
        if rank in earlier or rank in later:
            table.add_row(str(rank), _before(earlier.get(rank)), _now(later.get(rank)))
    parts.append(table)
    if diff["missing"]:
        parts.append(f"Relevant, but not returned now: {', '.join(diff['missing'])}")
    answers = {when: diff[f"answer_{when}"] for when in ("before", "now")}
    return [*parts, *(Text(f"Answer {when}: {text}") for when, text in answers.items() if text is not None)]


def grades_of(query: Query) -> dict[str, int]:
    """Grade of each judged document and passage by name."""
    return dict(query.grades) | {passage.name: passage.grade for passage in query.passages}


def _ranks(outcome: Outcome) -> dict[str, int]:
    return {doc_id: rank for rank, doc_id in enumerate(outcome.ranking.doc_ids, 1)} if outcome.ranking else {}


def _before(move: Mapping[str, Any] | None) -> Text:
    if move is None:
        return Text("")
    return _name(move, "" if move["rank_now"] else " gone")


def _now(move: Mapping[str, Any] | None) -> Text:
    if move is None:
        return Text("")
    steps = (move["rank_before"] or 0) - move["rank_now"]
    change = " new" if not move["rank_before"] else f" {'↑' if steps > 0 else '↓'}{abs(steps)}" if steps else ""
    return _name(move, change)


def _name(move: Mapping[str, Any], change: str) -> Text:
    """A document with its judgement: relevant, not relevant, or violating."""
    doc_id = move["doc_id"]
    short = doc_id if len(doc_id) <= LONGEST_ID else f"{doc_id[: LONGEST_ID - 1]}…"
    if move["is_violating"]:
        return Text(f"✗ {short}{change}", style="red")
    if (move["grade"] or 0) > 0:
        return Text(f"✓ {short}{change}", style="green")
    return Text(f"  {short}{change}", style="" if move["grade"] is not None else "dim")
