"""Attribution by context replay, on scripted RAG services with a known cause of each drop."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest

from monitor.diagnosis.attribution import Attribution
from monitor.diagnosis.calibration import BOUND
from monitor.diagnosis.replayed_scores import MeasureReplay, live_answers
from monitor.errors import ComparisonError
from monitor.evaluation.scoring import measure
from monitor.model.answers import Answer, Grades
from monitor.model.measurements import Measured
from monitor.model.passages import Passage
from monitor.model.policies import Policy
from monitor.model.runs import Outcome, Ranking
from monitor.model.suites import Axis, Query, Suite
from monitor.probing.context_replay import ContextReplayResult, Generator, Grade, replay_contexts
from monitor.probing.grading import Graded, attach_grades
from monitor.probing.replay import replay
from monitor.world import Endpoints
from tests.builders import a_run, a_suite

ITEMS = range(120)
CODES = [f"{37 * item + 1000}" for item in ITEMS]
TEXTS = {f"d{item}": f"Page of item {item}, with some words before it. Its code is {CODES[item]}." for item in ITEMS}
QUERIES = [
    Query(
        query_id=f"q{item}",
        text=f"code of item {item}",
        stratum="codes",
        cluster=f"c{item // 2}",
        grades={f"d{item}": 1},
        answers=(CODES[item],),
    )
    for item in ITEMS
]
SUITE = a_suite(*QUERIES)
POLICY = Policy()
WINDOW = POLICY.context_window

Ranker = Callable[[int], list[str]]


def item_of(question: str) -> int:
    """The item that a question names."""
    return int(question.rsplit(" ", 1)[1])


def ranking(item: int, rank: int) -> list[str]:
    """Ten documents with the relevant one at this rank; rank 0 leaves it out."""
    others = [f"d{(item + step) % len(ITEMS)}" for step in range(1, 11)]
    return [*others[: rank - 1], f"d{item}", *others[rank - 1 : 9]] if rank else others


def first(item: int) -> list[str]:
    """A ranker that finds every document at rank 1."""
    return ranking(item, 1)


def losing(item: int) -> list[str]:
    """A ranker that loses the documents of three items in ten."""
    return ranking(item, 0 if item % 10 < 3 else 1)


def lowering(item: int) -> list[str]:
    """A ranker that moves the documents of three items in ten to rank 5."""
    return ranking(item, 5 if item % 10 < 3 else 1)


@dataclass
class ScriptedRag:
    """Retrieves by a ranker and generates by rules; ``answer`` with contexts is the request that a replay sends."""

    ranker: Ranker
    forgets: Callable[[int], bool] = lambda _: False
    """Items whose codes the generator fails to copy from its contexts."""
    verbose: Callable[[int], bool] = lambda _: False
    """Items that the live prompt answers in a long sentence."""
    reads_live: int = 10_000
    reads_replayed: int = 10_000
    """Characters of the contexts that the generator reads."""
    cache: dict[str, str] | None = None
    """Answers by question, returned whatever the contexts are."""
    is_replay_cached: bool = True
    reports: str = ""
    """What the service returns: "texts", "ids" or nothing."""
    sent: list[tuple[str, ...]] = field(default_factory=list)
    concurrency: int = 8
    takes_contexts: bool = True
    needs_contexts: bool = False

    async def retrieve(self, query: str, k: int) -> Ranking:
        """The ranking that the target's retriever shows."""
        doc_ids = tuple(self.ranker(item_of(query))[:k])
        return Ranking(doc_ids=doc_ids, texts=tuple(TEXTS[doc_id] for doc_id in doc_ids))

    async def answer(self, query: str, contexts: Sequence[str] | None = None) -> Answer:
        """The live answer, or the answer from the contexts of a replay."""
        if contexts is not None:
            self.sent.append(tuple(contexts))
            cached = self.cache.get(query) if self.cache and self.is_replay_cached else None
            return Answer(text=cached or self._generate(query, contexts, self.reads_replayed))
        doc_ids = self.ranker(item_of(query))[:WINDOW]
        texts = tuple(TEXTS[doc_id] for doc_id in doc_ids)
        text = (self.cache or {}).get(query) or self._generate(query, texts, self.reads_live)
        if self.verbose(item_of(query)):
            text = f"According to the documents that were found, the code of this item is {text}"
        return Answer(
            text=text,
            doc_ids=tuple(doc_ids) if self.reports == "ids" else None,
            contexts=texts if self.reports == "texts" else None,
        )

    async def close(self) -> None:
        """There is nothing to release."""

    def _generate(self, query: str, contexts: Sequence[str], reads: int) -> str:
        item = item_of(query)
        is_found = f"Its code is {CODES[item]}." in " ".join(contexts)[:reads]
        return CODES[item] if is_found and not self.forgets(item) else "I do not know."


def run_of(rag: ScriptedRag, *, suite: Suite = SUITE, ranker: Ranker | None = None) -> Measured:
    """A live run of the scripted service; ``ranker`` is the target's retriever if it is not the service's own."""
    retriever = ScriptedRag(ranker or rag.ranker)

    async def discard(_: Sequence[Outcome]) -> None: ...

    outcomes = asyncio.run(
        replay(
            suite.queries, Endpoints(retriever=retriever, depth=10, answerer=rag), save=discard, watch=lambda _: None
        )
    )
    return measure(replace(a_run(suite, {}), outcomes=outcomes), suite, ("recall@10",))


def replayed(
    before: Measured,
    after: Measured,
    *rags: tuple[ScriptedRag, Measured],
    policy: Policy = POLICY,
    grade: Grade | None = None,
    texts: dict[str, str] | None = None,
) -> ContextReplayResult:
    """The result of a replay with these generators."""
    generators = [Generator(answerer=rag, live=live) for rag, live in rags]
    known_texts = TEXTS if texts is None else texts
    return asyncio.run(replay_contexts(before, after, generators, known_texts, policy, grade=grade))


def between(old: ScriptedRag, new: ScriptedRag, *, ranker: Ranker | None = None) -> ContextReplayResult:
    """Replay with the present generator alone, as for two stored runs."""
    before, after = run_of(old, ranker=ranker), run_of(new, ranker=ranker)
    return replayed(before, after, (new, after))


def f1(result: ContextReplayResult) -> MeasureReplay:
    """The replay of token F1."""
    assert not result.refusal
    return result.measures["answer_f1"]


def attribution_of(replay_of_measure: MeasureReplay) -> Attribution:
    """The attribution, which was not refused."""
    assert replay_of_measure.attribution is not None
    return replay_of_measure.attribution


def blame(result: ContextReplayResult) -> dict[str, float]:
    """The share of each component in the change of token F1."""
    attribution = attribution_of(f1(result))
    assert sum(each.difference for each in attribution.shares) == pytest.approx(attribution.difference)
    return {str(each.name): each.difference for each in attribution.shares}


def causes(result: ContextReplayResult) -> set[str]:
    """The components that are called a cause."""
    attribution = f1(result).attribution
    return {str(each.name) for each in attribution.shares if each.excludes_zero} if attribution else set()


def test_two_identical_runs_with_another_live_prompt_have_no_cause():
    """Another live prompt is reported as the bias of the replay, and generation is not blamed for it."""
    rag = ScriptedRag(first, verbose=lambda _: True)
    result = between(rag, rag)
    assert f1(result).attribution is None
    (bias,) = f1(result).calibrations
    assert bias.bias == pytest.approx(1 - 2 / 13, abs=0.01)
    assert "84.6 points higher" in bias.sentence
    assert "not attributed" in bias.sentence


def test_a_small_bias_of_the_replay_is_no_cause():
    """A bias within the bound is the same in both runs, and cancels."""
    rag = ScriptedRag(first, verbose=lambda item: item % 24 == 0)
    result = between(rag, rag)
    assert 0.03 < f1(result).calibrations[0].bias <= BOUND
    assert blame(result) == {"retrieval": 0.0, "generation": 0.0}


def test_lost_evidence_is_blamed_on_retrieval():
    """The ranker loses three documents in ten: the whole drop is retrieval's."""
    assert blame(between(ScriptedRag(first), ScriptedRag(losing))) == {"retrieval": -0.3, "generation": 0.0}


def test_a_worse_generator_is_blamed_on_generation():
    """The generator fails on a quarter of the same contexts: the whole drop is generation's."""
    result = between(ScriptedRag(first), ScriptedRag(first, forgets=lambda item: item % 4 == 0))
    assert blame(result) == {"retrieval": 0.0, "generation": -0.25}


class TestTruncation:
    """A service that cuts its contexts, so that evidence at a low rank is not read."""

    def test_evidence_beyond_the_cut_is_lost_by_retrieval(self):
        """The service cuts the contexts of a replay, too: documents that moved down are retrieval's part."""
        rags = [ScriptedRag(ranker, reads_live=200, reads_replayed=200) for ranker in (first, lowering)]
        assert blame(between(*rags)) == {"retrieval": -0.3, "generation": 0.0}

    def test_a_replay_without_the_cut_is_refused(self):
        """Replayed answers read what live ones do not: the bias shows it, and nothing is blamed."""
        rags = [ScriptedRag(ranker, reads_live=200) for ranker in (first, lowering)]
        result = between(*rags)
        assert f1(result).calibrations[0].bias == pytest.approx(0.3)
        assert causes(result) == set()

    def test_a_new_cut_is_blamed_on_generation(self):
        """The contexts are the same, and the service reads less of them now."""
        rags = [ScriptedRag(lowering, reads_live=reads, reads_replayed=reads) for reads in (10_000, 200)]
        assert blame(between(*rags)) == {"retrieval": 0.0, "generation": -0.3}


class TestRewriting:
    """A service that rewrites queries, so that it reads other documents than the target's retriever returns."""

    def test_a_broken_rewriter_is_retrieval_if_the_contexts_are_reported(self):
        """The retriever's own rankings have not changed; the contexts of the answers have."""
        for reports in ("texts", "ids"):
            rags = [ScriptedRag(ranker, reports=reports) for ranker in (first, losing)]
            assert blame(between(*rags, ranker=first)) == {"retrieval": -0.3, "generation": 0.0}

    def test_unknown_contexts_are_refused(self):
        """Without a report, the rankings are taken for contexts; the bias shows that they are not."""
        result = between(ScriptedRag(first), ScriptedRag(losing), ranker=first)
        assert f1(result).calibrations[0].bias == pytest.approx(0.3)
        assert causes(result) == set()


class TestCaching:
    """A service that returns stored answers."""

    CACHE = {query.text: query.answers[0] for query in QUERIES}  # noqa: RUF012 - never changed

    def test_a_replay_that_returns_stored_answers_is_refused(self):
        """The answers stay the same with the contexts of another query."""
        result = between(ScriptedRag(first), ScriptedRag(losing, cache=self.CACHE))
        assert "do not depend on the contexts" in result.refusal
        assert result.measures == {}

    def test_stored_live_answers_hide_nothing(self):
        """The rankings are worse and the answers are not: the bias shows it, and generation has no merit."""
        result = between(ScriptedRag(first), ScriptedRag(losing, cache=self.CACHE, is_replay_cached=False))
        assert f1(result).calibrations[0].bias == pytest.approx(-0.3)
        assert causes(result) == set()


def test_two_generators_share_the_blame():
    """Old and new generator answer from both contexts; what only both together lose is divided between the causes."""
    old, new = ScriptedRag(first), ScriptedRag(losing, forgets=lambda item: item % 2 == 0)
    before, after = run_of(old), run_of(new)
    result = replayed(before, after, (old, before), (new, after))
    # Lost: 30 % of the items with the old generator, 10 % with the new one, which never reads the even ones.
    assert blame(result) == pytest.approx({"retrieval": -0.2, "generation": -0.4})
    assert len(f1(result).calibrations) == 2
    assert attribution_of(f1(result)).note == ""


def test_every_gating_score_is_attributed():
    """The gating answer scores of the policy have one attribution each, and scores that do not gate have none."""
    policy = replace(POLICY, gating={Axis.BROAD: ("recall@10", "answer_contains", "answer_numeric")})
    before, after = run_of(ScriptedRag(first)), run_of(rag := ScriptedRag(losing))
    result = replayed(before, after, (rag, after), policy=policy)
    assert set(result.measures) == {"answer_contains", "answer_numeric"}
    assert all(attribution_of(each).difference == pytest.approx(-0.3) for each in result.measures.values())


def test_a_judge_that_changed_is_a_third_cause():
    """The judge grades the earlier answers lower now: that part is the judge's, and the rest is retrieval's."""
    policy = replace(POLICY, gating={Axis.BROAD: ("answer_judged",)})

    def with_grades(run: Measured, strictness: float) -> Measured:
        grades = {query_id: Grades("j", (grade_of(text, strictness),)) for query_id, text in live_answers(run).items()}
        outcomes = attach_grades(run.run.outcomes, Graded(grades, {}))
        return measure(replace(run.run, outcomes=outcomes, judge="j"), run.suite, ("recall@10",))

    def grade_of(text: str, strictness: float) -> float:
        return 0.0 if "know" in text else 1.0 - strictness

    async def grade_now(_: Sequence[Query], answers: Sequence[Answer]) -> list[float]:
        return [grade_of(answer.text, 0.2) for answer in answers]

    rag = ScriptedRag(losing)
    before, after = with_grades(run_of(ScriptedRag(first)), 0.0), with_grades(run_of(rag), 0.2)
    result = replayed(before, after, (rag, after), policy=policy, grade=grade_now)
    attribution = attribution_of(result.measures["answer_judged"])
    shares = {str(each.name): each.difference for each in attribution.shares}
    assert shares == pytest.approx({"retrieval": -0.24, "generation": 0.0, "judge": -0.2})
    assert "the judge grades the same answers lower" in attribution.sentence


def test_suites_judged_by_quotes_use_the_returned_contexts():
    """No document is known here: the service returns its contexts, and the quotes are the relevant texts."""
    quoted = a_suite(
        *(replace(each, grades={}, passages=(Passage(1, quote=TEXTS[f"d{item_of(each.text)}"]),)) for each in QUERIES)
    )
    old, new = ScriptedRag(first, reports="texts"), ScriptedRag(losing, reports="texts")
    before, after = run_of(old, suite=quoted), run_of(new, suite=quoted)
    result = replayed(before, after, (new, after), texts={})
    assert blame(result) == {"retrieval": -0.3, "generation": 0.0}
    best = f1(result).ceiling
    assert best is not None
    assert best.mean == 1.0


def test_equal_contexts_are_sent_once():
    """A query whose contexts have not changed costs one answer from them, and one from the relevant documents."""
    rag = ScriptedRag(first)
    before, after = run_of(rag), run_of(rag)
    result = replayed(before, after, (rag, after))
    assert result.n_queries == len(ITEMS)
    assert len(rag.sent) == 2 * len(ITEMS) + 30


def test_missing_texts_are_an_error_that_names_the_remedy():
    """Without any text nothing can be replayed."""
    before, after = run_of(ScriptedRag(first)), run_of(rag := ScriptedRag(losing))
    with pytest.raises(ComparisonError, match=r"response\.contexts"):
        replayed(before, after, (rag, after), texts={})
