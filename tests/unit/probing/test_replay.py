"""Every query of a suite gets exactly one outcome, whatever the retriever does."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import Reason, RetrieverError, StoreError
from monitor.model.runs import Outcome, Ranking
from monitor.model.suites import Query
from monitor.ports.targets import Retriever
from monitor.probing.replay import PATIENCE_S, probe, replay
from monitor.world import Endpoints

PASSING = tuple(reason for reason in Reason if reason.is_worth_retrying)
LASTING = tuple(reason for reason in Reason if not reason.is_worth_retrying)


class ScriptedRetriever:
    """Fails for each query as often and for the reasons it is told, then answers."""

    def __init__(self, script: Mapping[str, Sequence[Reason]] | None = None, *, concurrency: int = 4) -> None:
        self.concurrency = concurrency
        self.asked: Counter[str] = Counter()
        self.under_way = self.most_under_way = 0
        self._script = {text: list(reasons) for text, reasons in (script or {}).items()}

    async def retrieve(self, query: str, k: int) -> Ranking:
        """Answer with k documents named after the query, or fail as told."""
        self.asked[query] += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        if waiting := self._script.get(query):
            raise RetrieverError(waiting.pop(0), "as told", retry_after_s=0.0001)
        return Ranking(doc_ids=tuple(f"{query}-{rank}" for rank in range(k)))

    async def close(self) -> None:
        """Nothing to give back."""


class Saved:
    """What was handed over to be kept, batch by batch."""

    def __init__(self) -> None:
        self.batches: list[list[Outcome]] = []

    async def __call__(self, outcomes: Sequence[Outcome]) -> None:
        """Take a batch."""
        self.batches.append(list(outcomes))

    @property
    def query_ids(self) -> list[str]:
        """Every outcome that was kept, in order."""
        return [outcome.query_id for batch in self.batches for outcome in batch]


def query(number: int, *, is_judged: bool = True) -> Query:
    """A query whose id and text say its number."""
    return Query(
        query_id=f"q{number}",
        text=f"q{number}",
        stratum="stratum",
        cluster=f"c{number}",
        grades={"d": 1} if is_judged else {"d": 0},
    )


def replayed(
    queries: Sequence[Query], retriever: Retriever, *, depth: int = 3, attempts: int = 2
) -> tuple[tuple[Outcome, ...], Saved, list[str]]:
    """The outcomes, what was kept, and what was watched."""
    saved, watched = Saved(), []

    async def run() -> tuple[Outcome, ...]:
        return await replay(
            queries,
            Endpoints(retriever, depth, attempts=attempts),
            save=saved,
            watch=lambda outcome: watched.append(outcome.query_id),
        )

    return asyncio.run(run()), saved, watched


@settings(max_examples=60, deadline=None)
@given(
    suite=st.lists(st.tuples(st.booleans(), st.lists(st.sampled_from(Reason), max_size=3)), max_size=25),
    concurrency=st.integers(1, 8),
)
def test_every_query_has_exactly_one_outcome(suite, concurrency):
    """Under any failures each query ends once: ranked, failed with its last reason, or skipped."""
    queries = [query(number, is_judged=is_judged) for number, (is_judged, _) in enumerate(suite)]
    retriever = ScriptedRetriever(
        {f"q{number}": reasons for number, (_, reasons) in enumerate(suite)}, concurrency=concurrency
    )
    outcomes, saved, watched = replayed(queries, retriever)
    by_id = {outcome.query_id: outcome for outcome in outcomes}
    assert len(outcomes) == len(by_id) == len(queries)
    for number, (is_judged, reasons) in enumerate(suite):
        outcome = by_id[f"q{number}"]
        expected, asked = _ending(is_judged, reasons)
        assert (outcome.failure.reason if outcome.failure else None) == expected
        assert (outcome.ranking is None) == (expected is not None or not is_judged)
        assert retriever.asked[f"q{number}"] == asked
    assert sorted(saved.query_ids) == sorted(watched) == sorted(by_id)
    assert retriever.most_under_way <= concurrency


def _ending(is_judged: bool, reasons: Sequence[Reason]) -> tuple[Reason | None, int]:
    """The reason a probe with two attempts fails for, if it does, and how often it asks."""
    if not is_judged:
        return None, 0
    if not reasons:
        return None, 1
    if not reasons[0].is_worth_retrying:
        return reasons[0], 1
    return (reasons[1], 2) if len(reasons) > 1 else (None, 2)


def test_a_query_without_a_relevant_judgement_is_skipped_and_not_asked():
    """What cannot be scored costs the target nothing, and is neither a ranking nor a failure."""
    retriever = ScriptedRetriever()
    outcomes, _, _ = replayed([query(1, is_judged=False)], retriever)
    assert outcomes == (Outcome(query_id="q1"),)
    assert retriever.asked.total() == 0


@pytest.mark.parametrize("reason", PASSING)
def test_a_passing_failure_is_asked_again(reason):
    """A reason that may pass by itself gets a second attempt, and a good answer then counts."""
    retriever = ScriptedRetriever({"q1": [reason]})
    ((outcome,), _, _) = replayed([query(1)], retriever)
    assert outcome.ranking == Ranking(doc_ids=("q1-0", "q1-1", "q1-2"))
    assert retriever.asked["q1"] == 2


@pytest.mark.parametrize("reason", PASSING)
def test_a_failure_that_does_not_pass_is_told_after_the_last_attempt(reason):
    """A target that stays broken is asked as often as configured and no more."""
    retriever = ScriptedRetriever({"q1": [reason] * 9})
    ((outcome,), _, _) = replayed([query(1)], retriever, attempts=3)
    assert outcome.failure is not None
    assert outcome.failure.reason is reason
    assert outcome.failure.detail == "as told"
    assert retriever.asked["q1"] == 3


@pytest.mark.parametrize("reason", LASTING)
def test_a_lasting_failure_is_asked_once(reason):
    """Asking again what is refused for good would only load the target."""
    retriever = ScriptedRetriever({"q1": [reason]})
    ((outcome,), _, _) = replayed([query(1)], retriever)
    assert outcome.failure is not None
    assert outcome.failure.reason is reason
    assert retriever.asked["q1"] == 1


def test_a_retriever_cannot_ask_for_endless_patience(monkeypatch):
    """However long a target wants to be left alone, a probe waits only so long between attempts."""
    waited: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        waited.append(seconds)
        await sleep(0)

    class Busy(ScriptedRetriever):
        async def retrieve(self, query: str, k: int) -> Ranking:
            raise RetrieverError(Reason.RATE_LIMITED, "HTTP 429", retry_after_s=86_400.0)

    monkeypatch.setattr("monitor.probing.replay.asyncio.sleep", note)
    asyncio.run(probe(query(1), Busy(), depth=1))
    assert waited == [PATIENCE_S]


def test_the_duration_is_that_of_the_last_attempt():
    """The time a probe reports is the target's, without the first attempt and the wait between the two."""

    class Slow(ScriptedRetriever):
        async def retrieve(self, query: str, k: int) -> Ranking:
            await asyncio.sleep(0.05)
            self.asked[query] += 1
            if self.asked[query] == 1:
                self.failed_at = time.perf_counter()
                raise RetrieverError(Reason.BROKEN, "as told", retry_after_s=0.3)
            return Ranking(doc_ids=("d",))

    retriever = Slow()
    outcome = asyncio.run(probe(query(1), retriever, depth=1))
    assert 0.04 < outcome.duration_s <= time.perf_counter() - retriever.failed_at - 0.3


def test_outcomes_are_kept_while_the_run_goes_on(monkeypatch):
    """A crash loses only the last moments of a run: what is done is kept before the rest is asked."""
    monkeypatch.setattr("monitor.probing.replay.SAVE_EVERY_S", 0.01)

    class Slow(ScriptedRetriever):
        async def retrieve(self, query: str, k: int) -> Ranking:
            await asyncio.sleep(0.01)
            return await super().retrieve(query, k)

    _, saved, _ = replayed([query(number) for number in range(12)], Slow(concurrency=2))
    assert len(saved.batches) > 2
    assert len(saved.query_ids) == len(set(saved.query_ids)) == 12


def test_nothing_is_handed_over_when_there_is_nothing_to_keep():
    """An empty suite ends at once, and no empty batch is kept."""
    outcomes, saved, _ = replayed([], ScriptedRetriever())
    assert outcomes == ()
    assert saved.batches == []


def test_a_store_that_refuses_ends_the_run(monkeypatch):
    """What cannot be kept is not worth asking: the run ends with the store's own error, and asks no more."""
    monkeypatch.setattr("monitor.probing.replay.SAVE_EVERY_S", 0.01)

    class Slow(ScriptedRetriever):
        async def retrieve(self, query: str, k: int) -> Ranking:
            await asyncio.sleep(0.005)
            return await super().retrieve(query, k)

    async def refuse(_: Sequence[Outcome]) -> None:
        raise StoreError("the disk is full")

    retriever = Slow(concurrency=2)
    queries = [query(number) for number in range(500)]
    with pytest.raises(StoreError, match="the disk is full"):
        asyncio.run(replay(queries, Endpoints(retriever, 1), save=refuse, watch=lambda _: None))
    assert retriever.asked.total() < 100


def test_a_store_that_refuses_the_last_batch_ends_the_run_too():
    """A run whose last outcomes were not kept is not a run."""

    async def refuse(_: Sequence[Outcome]) -> None:
        raise StoreError("the disk is full")

    with pytest.raises(StoreError, match="the disk is full"):
        asyncio.run(replay([query(1)], Endpoints(ScriptedRetriever(), 1), save=refuse, watch=lambda _: None))


@pytest.mark.parametrize("concurrency", [1, 3, 64])
def test_no_more_probes_are_under_way_than_the_retriever_allows(concurrency):
    """The retriever's concurrency is reached where there is work, and never exceeded."""
    retriever = ScriptedRetriever(concurrency=concurrency)
    replayed([query(number) for number in range(64)], retriever)
    assert retriever.most_under_way == concurrency


def test_a_cancelled_replay_asks_no_more():
    """Breaking a run off stops its workers."""
    retriever = ScriptedRetriever(concurrency=1)

    async def run() -> int:
        work = asyncio.create_task(
            replay([query(n) for n in range(20_000)], Endpoints(retriever, 1), save=Saved(), watch=lambda _: None)
        )
        await asyncio.sleep(0.05)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        asked = retriever.asked.total()
        await asyncio.sleep(0.05)
        return retriever.asked.total() - asked

    assert asyncio.run(run()) == 0
