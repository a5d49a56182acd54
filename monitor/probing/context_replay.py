"""Generate answers again from the contexts of two runs, to attribute a change to retrieval, generation or the judge.

This needs an answerer that accepts contexts, and the texts of the contexts: those that the answerer returned, else
those of the retriever, else those of the suite's own documents.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from monitor.diagnosis.calibration import ignores_contexts
from monitor.diagnosis.headroom_change import windows_of
from monitor.diagnosis.replayed_scores import MeasureReplay, QueryContexts, Replies, Texts, live_answers, measure_replay
from monitor.errors import ComparisonError
from monitor.evaluation.answers.abstention import is_abstention
from monitor.evaluation.answers.measurements import SCORERS, score_text
from monitor.evaluation.measures import parse
from monitor.model.answers import Answer
from monitor.model.measurements import Measured
from monitor.model.measures import Needs
from monitor.model.policies import Policy
from monitor.model.runs import Outcome
from monitor.model.suites import Axis, Query
from monitor.ports.targets import Answerer
from monitor.probing.replay import request_answer

LIMIT = 300
"""Largest number of replayed queries, spread over the suite. Each costs up to three answers of each generator."""
CONTROLS = 30
"""Number of queries that are also answered from the contexts of another query."""

Grade = Callable[[Sequence[Query], Sequence[Answer]], Awaitable[Sequence[float | None]]]
"""Grades of answers by the present judge; None where it gave none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """An answerer whose answers are replayed, and the run with its live answers."""

    answerer: Answerer
    live: Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextReplayResult:
    """The attribution of one suite by context replay."""

    suite: str
    measures: Mapping[str, MeasureReplay] = field(default_factory=dict)
    """Every gating answer score, by name."""
    refusal: str = ""
    """Reason why no measure is attributed."""
    n_queries: int = 0
    failed: int = 0
    """Number of queries left out because an answer failed or the text of a context is missing."""


async def replay_contexts(
    before: Measured,
    after: Measured,
    generators: Sequence[Generator],
    texts: Mapping[str, str],
    policy: Policy,
    *,
    grade: Grade | None = None,
) -> ContextReplayResult:
    """Attribute the change of every gating answer score; the present generator is the last of ``generators``.

    1. Each generator answers from the contexts of both runs through the same request, and from the relevant texts.
    2. Some queries are answered from the contexts of another query. If the answers stay the same, the answerer ignores
       the contexts, and nothing is attributed.
    3. The replayed scores from a run's own contexts are compared with its live scores. Beyond a bound, the measure is
       not attributed.
    4. The mean effect of the contexts is the part of retrieval, the rest of the live change that of generation. With a
       judge, ``grade`` grades the earlier answers again; the difference is the part of the judge.

    Raises ComparisonError if no query could be replayed.
    """
    selected = _select(before, after)
    contexts = _known_contexts(selected, before, after, texts, policy)
    replies = [await _replay(contexts, each.answerer) for each in generators]
    complete = [at for at in range(len(contexts)) if all(answers[at] is not None for answers in replies)]
    contexts = [contexts[at] for at in complete]
    own = [[reply for at in complete if (reply := answers[at]) is not None] for answers in replies]
    failed = len(selected) - len(contexts)
    if not contexts:
        raise ComparisonError(
            f"no query of {after.suite.name} could be replayed: the answerer returned no answer, or the texts of its "
            "contexts are missing; return them (response.contexts), or add them to the suite's corpus.jsonl"
        )
    if await _ignores_contexts(contexts, own[-1], generators[-1].answerer):
        refusal = "the answers do not depend on the contexts that a replay sends, so nothing is attributed by replay"
        return ContextReplayResult(suite=after.suite.name, refusal=refusal, n_queries=len(contexts), failed=failed)
    grades = await _grades(before, contexts, own, grade) if grade and _graded(before, after, policy) else {}

    def score_by_judge(query: Query, text: str) -> float:
        return grades.get((query.query_id, text), math.nan)

    measures = {}
    for name in _measures(before, after, policy):
        pairs = [(each.live, answers) for each, answers in zip(generators, own, strict=True)]
        scorer = (lambda query, text, name=name: score_text(SCORERS[name], text, query)) if name in SCORERS else None
        measures[name] = measure_replay(
            name, (before, after), contexts, pairs, scorer or score_by_judge, is_graded=scorer is None
        )
    known_measures = {name: replayed for name, replayed in measures.items() if replayed is not None}
    return ContextReplayResult(suite=after.suite.name, measures=known_measures, n_queries=len(contexts), failed=failed)


def _select(before: Measured, after: Measured) -> list[Query]:
    """Up to `LIMIT` queries with answers in both runs, evenly spread over the suite."""
    both = live_answers(before).keys() & live_answers(after).keys()
    queries = [
        query
        for query in after.suite.queries
        if query.query_id in both and query.is_judged and query.answers and not query.follows
    ]
    if not queries:
        raise ComparisonError(f"the two runs of {after.suite.name} have no answers to compare")
    return queries[:: -(-len(queries) // LIMIT)]


def _known_contexts(
    queries: Sequence[Query], before: Measured, after: Measured, texts: Mapping[str, str], policy: Policy
) -> list[QueryContexts]:
    """The contexts of the queries whose texts are known in both runs."""
    runs = [{each.query_id: each for each in run.run.outcomes} for run in (before, after)]
    windows = [windows_of(run, policy) for run in (before, after)]
    contexts = []
    for query in queries:
        old, new = (
            _read(run[query.query_id], window[query.query_id], texts) for run, window in zip(runs, windows, strict=True)
        )
        if old is not None and new is not None:
            contexts.append(QueryContexts(query=query, old=old, new=new, relevant=_relevant(query, texts)))
    return contexts


def _read(outcome: Outcome, window: int, texts: Mapping[str, str]) -> Texts | None:
    """The texts behind an answer: those that it reports, else those of the documents that it lists, or of the hits."""
    answer = outcome.reply.answer if outcome.reply else None
    if answer is not None and answer.contexts is not None:
        return answer.contexts
    ranked = outcome.ranking.doc_ids[:window] if outcome.ranking else ()
    doc_ids = ranked if answer is None or answer.doc_ids is None else answer.doc_ids
    return tuple(texts[doc_id] for doc_id in doc_ids) if texts.keys() >= set(doc_ids) else None


def _relevant(query: Query, texts: Mapping[str, str]) -> Texts | None:
    """The relevant documents and the quotes of the relevant passages; None if a text is unknown."""
    documents = [texts.get(doc_id) for doc_id, grade in query.grades.items() if grade > 0]
    relevant = [*documents, *(each.quote for each in query.passages if each.grade > 0)]
    known_texts = tuple(text for text in relevant if text is not None)
    return known_texts if len(known_texts) == len(relevant) else None


async def _replay(contexts: Sequence[QueryContexts], answerer: Answerer) -> list[Replies | None]:
    """The answers of one generator; None where one failed. Equal contexts are sent once."""
    turns = asyncio.Semaphore(answerer.concurrency)

    async def answer_all(one: QueryContexts) -> Replies | None:
        async with turns:
            unique = dict.fromkeys(texts for texts in (one.old, one.new, one.relevant) if texts is not None)
            answers = {texts: await _answer(one.query, texts, answerer) for texts in unique}
        old, new = answers[one.old], answers[one.new]
        relevant = answers[one.relevant] if one.relevant is not None else None
        return None if old is None or new is None else Replies(old=old, new=new, relevant=relevant)

    return list(await asyncio.gather(*map(answer_all, contexts)))


async def _ignores_contexts(contexts: Sequence[QueryContexts], own: Sequence[Replies], answerer: Answerer) -> bool:
    """Whether the answers stay the same with the contexts of another query. Abstentions show nothing either way."""
    turns = asyncio.Semaphore(answerer.concurrency)

    async def answer_control(at: int) -> tuple[str, str] | None:
        foreign = contexts[(at + len(contexts) // 2) % len(contexts)].new
        if foreign == contexts[at].new:
            return None
        async with turns:
            reply = await _answer(contexts[at].query, foreign, answerer)
        return None if reply is None else (own[at].new, reply)

    answered = [at for at, replies in enumerate(own) if not is_abstention(replies.new)]
    controls = answered[:: max(1, -(-len(answered) // CONTROLS))]
    pairs = [pair for pair in await asyncio.gather(*map(answer_control, controls)) if pair is not None]
    return ignores_contexts([mine for mine, _ in pairs], [other for _, other in pairs])


async def _answer(query: Query, texts: Texts, answerer: Answerer) -> str | None:
    reply = await request_answer(query.text, answerer, texts)
    return reply.answer.text if reply.answer else None


async def _grades(
    before: Measured, contexts: Sequence[QueryContexts], replies: Sequence[Sequence[Replies]], grade: Grade
) -> dict[tuple[str, str], float]:
    """Grades of every replayed answer and of the earlier live ones by the present judge, by query and answer."""
    earlier = live_answers(before)
    pairs: dict[tuple[str, str], Query] = {}
    for at, one in enumerate(contexts):
        answers = [text for own in replies for text in (own[at].old, own[at].new, own[at].relevant) if text is not None]
        for text in (*answers, earlier[one.query.query_id]):
            pairs[one.query.query_id, text] = one.query
    values = await grade(list(pairs.values()), [Answer(text=text) for _, text in pairs])
    return {pair: value for pair, value in zip(pairs, values, strict=True) if value is not None}


def _measures(before: Measured, after: Measured, policy: Policy) -> list[str]:
    """Every gating score of both runs that a replayed answer can have."""
    return [
        name
        for name in policy.gating.get(Axis(after.suite.axis), ())
        if parse(name).measure.needs in (Needs.ANSWERS, Needs.JUDGE)
        and name in before.measurements
        and name in after.measurements
    ]


def _graded(before: Measured, after: Measured, policy: Policy) -> bool:
    return any(name not in SCORERS for name in _measures(before, after, policy))
