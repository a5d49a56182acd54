"""Chains of queries: each follow-up query is also asked with the reference answer of the previous hop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from monitor.evaluation.chains import BEFORE, gold_id
from monitor.model.suites import Query, Suite
from monitor.suites.reading import digest_of


def with_gold_hops(suite: Suite) -> Suite:
    """The suite, with a second query after each follow-up query: its text has the reference answer in it.

    The second query has the same judgements and follows nothing, so that the loss of the hop itself is separate from
    the loss that follows from a wrong answer. It has no reference answer, because answers belong to the chain.
    """
    queries = tuple(_asked_twice(suite))
    return suite if len(queries) == len(suite.queries) else _with_digest(replace(suite, queries=queries))


def _asked_twice(suite: Suite) -> Iterator[Query]:
    answers = {query.query_id: query.answers for query in suite.queries}
    for query in suite.queries:
        yield query
        if query.follows and BEFORE in query.text and answers[query.follows]:
            text = query.text.replace(BEFORE, answers[query.follows][0])
            yield replace(query, query_id=gold_id(query.query_id), text=text, follows="", answers=())


def _with_digest(suite: Suite) -> Suite:
    return replace(suite, digest=digest_of(suite))
