"""Whether two runs brought the same results, so that measuring the second would repeat the first."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.model.answers import Reply
from monitor.model.runs import Outcome


def are_same(before: Sequence[Outcome], after: Sequence[Outcome]) -> bool:
    """Whether every query has the same ranking with its scores and sources, failure, answer and grades.

    The order of the outcomes and their durations do not matter.

    Parameters
    ----------
    before, after
        The outcomes of two runs of one suite, each with one outcome for a query.

    Examples
    --------
    >>> quick, slow = Outcome(query_id="q1", duration_s=0.1), Outcome(query_id="q1", duration_s=0.2)
    >>> are_same([quick], [slow]), are_same([quick], [Outcome(query_id="q2")])
    (True, False)
    """
    earlier = {outcome.query_id: outcome for outcome in before}
    return len(before) == len(after) == len(earlier) and all(
        (old := earlier.get(outcome.query_id)) is not None
        and old.ranking == outcome.ranking
        and old.failure == outcome.failure
        and (old.reply is outcome.reply is None or _is_same_reply(old.reply, outcome.reply))
        for outcome in after
    )


def _is_same_reply(before: Reply | None, after: Reply | None) -> bool:
    if before is None or after is None:
        return before is after
    return (before.answer, before.reason, before.detail, before.grades) == (
        after.answer, after.reason, after.detail, after.grades,
    )  # fmt: skip
