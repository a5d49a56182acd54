"""Answers in whole cycles: attribution of drops, noise, and failures that are never zeros."""

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.adapters.stores.memory.store import MemoryStore
from monitor.cycle import run_cycle
from monitor.errors import AnswererError, JudgeError, Reason
from monitor.evaluation.answers.measurements import SCORERS, score_text
from monitor.incidents.routing import OnCall
from monitor.model.answers import Answer
from monitor.model.deployments import Baseline
from monitor.model.policies import Policy
from monitor.model.runs import Ranking
from monitor.model.suites import Axis, Query, Suite
from monitor.model.verdicts import VerdictName
from monitor.plan import Plan
from monitor.world import World

N_QUERIES = 200


class Rag:
    """A retriever and the answerer behind it. Either can be made worse, and the answers can vary by themselves."""

    concurrency, takes_contexts, needs_contexts = 4, False, False

    def __init__(self, *, noise: float = 0.0, seed: int = 1) -> None:
        self.random = random.Random(seed)  # noqa: S311 - the same noise every time, not a secret
        self.noise, self.lost, self.misread, self.down = noise, 0.0, 0.0, 0.0
        self.model = "reader-1"
        self.frailty = [self.random.random() for _ in range(N_QUERIES)]
        self.answers_asked = 0

    def finds(self, number: int) -> bool:
        """Whether the evidence of a query is retrieved."""
        return self.frailty[number] >= self.lost

    async def retrieve(self, query: str, k: int) -> Ranking:
        """The k best documents."""
        number = int(query.split()[-1])
        found = [f"other-{place}" for place in range(k)]
        if self.finds(number):
            found[number % 3] = f"right-{number}"
        return Ranking(doc_ids=tuple(found))

    async def answer(self, query: str, contexts: object = None) -> Answer:
        """The right words, where the evidence was found and nothing goes wrong."""
        self.answers_asked += 1
        number = int(query.split()[-1])
        if self.random.random() < self.down:
            raise AnswererError(Reason.REJECTED, "HTTP 400")
        slips = (number * 7919) % N_QUERIES < self.misread * N_QUERIES or self.random.random() < self.noise
        text = f"alpha beta {number}" if self.finds(number) and not slips else "something else entirely"
        return Answer(text=text, doc_ids=tuple((await self.retrieve(query, 5)).doc_ids), model=self.model)

    async def close(self) -> None:
        """Nothing to give back."""


class Jury:
    """A judge that changes its mind now and then, and whose mood can sink."""

    repeats, concurrency, fingerprint = 1, 4, "judge-1"

    def __init__(self, *, fickle: float = 0.0, budget: int = 1_000_000) -> None:
        self.reads_contexts = False
        self.random = random.Random(5)  # noqa: S311 - the same moods every time, not a secret
        self.fickle, self.budget, self.mood, self.broken, self.asked = fickle, budget, 0.0, False, 0

    async def grade(self, query: str, references: object, answer: str) -> float:
        """1 for the right words, 0 for others; sometimes the other way round, less in a bad mood."""
        self.asked += 1
        if self.broken:
            raise JudgeError(Reason.MALFORMED, "no score")
        right = answer.startswith("alpha") is not (self.random.random() < self.fickle)
        return float(right) * (1 - self.mood)

    async def close(self) -> None:
        """Nothing to give back."""


class Service:
    """A schedule's cycles, an hour apart, on a clock of their own."""

    def __init__(self, rag: Rag, judge: Jury | None = None, **policy: object) -> None:
        queries = tuple(
            Query(
                query_id=f"q{i}",
                text=f"question {i}",
                stratum="all",
                cluster=f"c{i}",
                grades={f"right-{i}": 1},
                answers=(f"alpha beta {i}",),
            )
            for i in range(N_QUERIES)
        )
        suite = Suite(name="suite", version="1", axis=Axis.BROAD, queries=queries, digest="suite")
        self.rag, self.store = rag, MemoryStore()
        self.clock = datetime(2026, 1, 1, tzinfo=UTC)
        self.plan = Plan(target="target", suites=(suite,), policy=Policy(**{"resamples": 999} | policy))
        self.world = World(
            store=self.store,
            retriever=rag,
            on_call=OnCall(),
            now=lambda: self.clock,
            owner="test",
            answerer=rag,
            judge=judge,
        )

    def cycle(self):
        """The report of the next cycle; the first one becomes the baseline."""
        self.clock += timedelta(hours=1)
        report = asyncio.run(run_cycle(self.plan, self.world))
        if not self.store.promoted:
            run_id = report.measured[0].run.run_id
            asyncio.run(
                self.store.promote(
                    Baseline(
                        target="target",
                        suite_name="suite",
                        run_id=run_id,
                        promoted_by="test",
                        reason="first",
                        promoted_at=self.clock,
                    )
                )
            )
        return report


def shares(report) -> dict[str, tuple[float, float, float]]:
    """Name of each share of the answer drop to its difference and interval."""
    (told,) = report.verdict.insights["suite"]["attribution"]
    return {each["name"]: (each["difference"], each["lower"], each["upper"]) for each in told["shares"]}


def test_answers_are_measured_beside_the_rankings():
    """A run has all answer measures, names the answerer and counts every answer."""
    measured = Service(Rag()).cycle().measured[0]
    assert measured.measurements["answer_f1"].mean == 1.0
    assert measured.measurements["context_recall"].mean == 1.0
    assert (measured.replies.scored, measured.replies.failed, measured.run.answerer) == (N_QUERIES, 0, "reader-1")


def test_a_generator_that_reads_worse_is_paged_and_blamed():
    """With the rankings untouched, the answers fall, and generation carries the whole drop."""
    service = Service(Rag())
    service.cycle()
    service.rag.misread = 0.3
    verdict = (report := service.cycle()).verdict
    assert verdict.name is VerdictName.REGRESSED
    assert {each.measure for each in verdict.evidence if each.difference < 0} & {"answer_f1"}
    blamed = shares(report)
    assert blamed["generation"][2] < 0
    assert blamed["retrieval"][0] == pytest.approx(0.0, abs=1e-12)
    assert "generation used the evidence less well" in verdict.summary


def test_a_retriever_that_finds_less_is_blamed_for_the_answers():
    """Lost evidence takes the answers down with it, and retrieval carries the drop."""
    service = Service(rag := Rag())
    rag.lost = 0.1
    service.cycle()
    rag.lost = 0.4
    blamed = shares(report := service.cycle())
    assert report.verdict.name is VerdictName.REGRESSED
    assert blamed["retrieval"][2] < -0.1
    assert blamed["generation"][0] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.slow
def test_answers_that_vary_by_themselves_are_noise():
    """A model that samples is no swap and no look, hour after hour, and a real drop is still paged."""
    service = Service(Rag(noise=0.05))
    reports = [service.cycle() for _ in range(24)]
    assert not any(report.swaps for report in reports)
    assert not any(report.verdict.name.pages for report in reports)
    service.rag.misread = 0.3
    assert any(service.cycle().verdict.name.pages for _ in range(4))


def test_a_new_model_that_names_itself_is_a_declared_swap():
    """The answers changed and the model's name with them."""
    service = Service(Rag())
    service.cycle()
    service.rag.model, service.rag.misread = "reader-2", 0.02
    (swap,) = service.cycle().swaps
    assert swap.declared
    assert (swap.share_changed, swap.answers_changed) == (0.0, pytest.approx(0.02))


def test_answers_that_do_not_come_back_are_never_zeros():
    """If a tenth of the answers fail, rankings are judged and answers are not, and the summary states it."""
    service = Service(Rag())
    service.cycle()
    service.rag.down = 0.1
    report = service.cycle()
    assert report.verdict.name is VerdictName.PASSED
    assert report.measured[0].measurements["answer_f1"].mean == 1.0
    assert not [each for each in report.verdict.evidence if each.measure == "answer_f1"]
    assert "were not judged" in report.verdict.summary


def test_the_same_answers_are_graded_once():
    """A judge grades each answer once: the second run only grades the frozen anchors again."""
    service = Service(Rag(), judge := Jury())
    service.cycle()
    assert judge.asked == N_QUERIES
    service.cycle()
    assert judge.asked == N_QUERIES + 50


def test_a_judge_in_a_worse_mood_is_seen_and_not_taken_for_worse_answers():
    """Grades fall by a fifth on new and on frozen answers alike: nothing regressed, and the judge is named."""
    gating = {Axis.BROAD: ("ndcg@10", "answer_judged")}
    rag = Rag(noise=0.5)
    service = Service(rag, judge := Jury(), gating=gating)
    service.cycle()
    judge.mood = 0.4
    verdict = service.cycle().verdict
    assert not verdict.name.pages
    assert verdict.insights["suite"]["judge"]["moved"]
    assert "the judge moved" in verdict.summary.lower()


@pytest.mark.parametrize(("budget", "broken"), [(10, False), (1_000_000, True)])
def test_what_could_not_be_graded_is_counted(budget: int, broken: bool):
    """Beyond the budget, and where the judge talks nonsense, answers go ungraded; no grade is made up."""
    judge = Jury(budget=budget)
    judge.broken = broken
    measured = Service(Rag(), judge).cycle().measured[0]
    graded = measured.measurements.get("answer_judged")
    assert (len(graded.values) if graded else 0) == (0 if broken else 10)
    assert measured.replies.ungraded == (N_QUERIES if broken else N_QUERIES - 10)


def test_requests_that_fail_spend_the_budget_too():
    """Requests to a judge with unusable responses count towards its budget."""
    judge = Jury(budget=N_QUERIES)
    judge.broken = True
    service = Service(Rag(), judge)
    service.cycle()
    service.cycle()
    assert judge.asked == N_QUERIES


def test_answers_that_never_came_are_no_answers_that_repeat():
    """With the answerer down at first contact its noise stays unknown, and is learnt once it answers."""
    service = Service(Rag(noise=0.05))
    service.rag.down = 1.0
    service.cycle()
    assert service.store.detector_states["target", "suite"].noise.answer_replays == 0
    service.rag.down = 0.0
    service.cycle()
    noise = service.store.detector_states["target", "suite"].noise
    assert noise.answer_replays > 0
    assert not noise.answers_repeat


def test_a_hop_is_asked_with_the_answer_before():
    """Where the first hop is answered wrongly the second asks the wrong question, and chains fall more than hops."""

    class Hops(Rag):
        async def answer(self, query: str, contexts: object = None) -> Answer:
            number = int(query.split()[-1])
            return Answer(text=str(number + 1 if self.finds(number) else 0))

    queries = []
    for i in range(0, N_QUERIES, 2):
        queries.append(
            Query(query_id=f"q{i}", text=f"question {i}", stratum="all", cluster=f"c{i}", grades={f"right-{i}": 1})
        )
        queries.append(
            Query(
                query_id=f"q{i + 1}",
                text="question {answer}",
                stratum="all",
                cluster=f"c{i}",
                grades={f"right-{i + 1}": 1},
                answers=("x",),
                passages=(),
                follows=f"q{i}",
            )
        )
    service = Service(Hops())
    service.plan = Plan(
        target="target",
        suites=(Suite(name="suite", version="1", axis=Axis.BROAD, queries=tuple(queries), digest="chains"),),
        policy=Policy(),
    )
    first = service.cycle()
    assert first.measured[0].measurements["recall@10"].mean == 1.0
    service.rag.lost = 0.1
    losses = service.cycle().verdict.insights["suite"]["chains"]
    assert losses["chain_loss"] > 1.2 * losses["hop_loss"] > 0


def test_a_complete_answer_scores_more_than_one_of_its_parts():
    """With parts, "60 cabin" is half of the answer; the complete answer scores 1 in any order."""
    query = Query(
        query_id="fees",
        text="fee for carrying an animal",
        stratum="travel",
        cluster="pets",
        grades={"cabin": 2, "hold": 2},
        answers=("60 cabin; 140 hold",),
        answer_parts=(("60 cabin", "60 in the cabin"), ("140 hold", "140 in the hold")),
    )
    contained = SCORERS["answer_contains"]
    complete = "An animal costs 140 in the hold and 60 in the cabin."
    assert score_text(contained, complete, query) == 1.0
    assert score_text(contained, "60 cabin", query) == 0.5
    without_parts = replace(query, answers=("60 cabin", "140 hold"), answer_parts=())
    assert score_text(contained, "60 cabin", without_parts) == 1.0
