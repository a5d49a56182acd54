"""Every query of a suite gets exactly one outcome, under any failures of the retriever."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import Reason, RetrieverError, StoreError
from monitor.model.answers import Answer
from monitor.model.runs import Outcome, Ranking
from monitor.model.suites import Query
from monitor.ports.targets import Retriever
from monitor.probing.replay import probe, replay, request_answer
from monitor.probing.retries import FIRST_DELAY_S, JITTER_S, PATIENCE_S, attempt
from monitor.probing.side_by_side import replay_both
from monitor.world import ContextTexts, Endpoints
from tests.properties import examples

TEMPORARY = tuple(reason for reason in Reason if reason.is_worth_retrying)
PERMANENT = tuple(reason for reason in Reason if not reason.is_worth_retrying)


class ScriptedRetriever:
    """Fails with the scripted reasons of each query in order, then succeeds."""

    def __init__(self, script: Mapping[str, Sequence[Reason]] | None = None, *, concurrency: int = 4) -> None:
        self.concurrency = concurrency
        self.attempts: Counter[str] = Counter()
        self.in_flight = self.most_in_flight = 0
        self._script = {text: list(reasons) for text, reasons in (script or {}).items()}

    async def retrieve(self, query: str, k: int) -> Ranking:
        """Return k documents named after the query, or fail with the next reason."""
        self.attempts[query] += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(0)
        self.in_flight -= 1
        if waiting := self._script.get(query):
            raise RetrieverError(waiting.pop(0), "scripted", retry_after_s=0.0001)
        return Ranking(doc_ids=tuple(f"{query}-{rank}" for rank in range(k)))

    async def close(self) -> None:
        """There is nothing to release."""


class Batches:
    """The saved outcomes, batch by batch."""

    def __init__(self) -> None:
        self.saved: list[list[Outcome]] = []

    async def __call__(self, outcomes: Sequence[Outcome]) -> None:
        """Save a batch."""
        self.saved.append(list(outcomes))

    @property
    def query_ids(self) -> list[str]:
        """Ids of all saved outcomes, in order."""
        return [outcome.query_id for batch in self.saved for outcome in batch]


def query(number: int, *, is_judged: bool = True) -> Query:
    """A query whose id and text contain its number."""
    return Query(
        query_id=f"q{number}",
        text=f"q{number}",
        stratum="stratum",
        cluster=f"c{number}",
        grades={"d": 1} if is_judged else {"d": 0},
    )


def replay_all(
    queries: Sequence[Query], retriever: Retriever, *, depth: int = 3, attempts: int = 2
) -> tuple[tuple[Outcome, ...], Batches, list[str]]:
    """The outcomes, the saved batches, and the watched query ids."""
    batches, watched = Batches(), []

    async def run() -> tuple[Outcome, ...]:
        return await replay(
            queries,
            Endpoints(retriever=retriever, depth=depth, attempts=attempts),
            save=batches,
            watch=lambda outcome: watched.append(outcome.query_id),
        )

    return asyncio.run(run()), batches, watched


@examples(60)
@given(
    suite=st.lists(st.tuples(st.booleans(), st.lists(st.sampled_from(Reason), max_size=3)), max_size=25),
    concurrency=st.integers(1, 8),
)
def test_every_query_has_exactly_one_outcome(suite, concurrency):
    """Under any failures each query ends once: ranked, failed with its final reason, or skipped."""
    queries = [query(number, is_judged=is_judged) for number, (is_judged, _) in enumerate(suite)]
    retriever = ScriptedRetriever(
        {f"q{number}": reasons for number, (_, reasons) in enumerate(suite)}, concurrency=concurrency
    )
    outcomes, batches, watched = replay_all(queries, retriever)
    by_id = {outcome.query_id: outcome for outcome in outcomes}
    assert len(outcomes) == len(by_id) == len(queries)
    for number, (is_judged, reasons) in enumerate(suite):
        outcome = by_id[f"q{number}"]
        expected, n_attempts = _ending(is_judged, reasons)
        assert (outcome.failure.reason if outcome.failure else None) == expected
        assert (outcome.ranking is None) == (expected is not None or not is_judged)
        assert retriever.attempts[f"q{number}"] == n_attempts
    assert sorted(batches.query_ids) == sorted(watched) == sorted(by_id)
    assert retriever.most_in_flight <= concurrency


def _ending(is_judged: bool, reasons: Sequence[Reason]) -> tuple[Reason | None, int]:
    """The reason of a failed probe with two attempts, or None, and the number of attempts."""
    if not is_judged:
        return None, 0
    if not reasons:
        return None, 1
    if not reasons[0].is_worth_retrying:
        return reasons[0], 1
    return (reasons[1], 2) if len(reasons) > 1 else (None, 2)


def test_a_query_without_a_relevant_judgement_is_skipped_and_not_sent():
    """A query that cannot be scored sends no probe, and is neither a ranking nor a failure."""
    retriever = ScriptedRetriever()
    outcomes, _, _ = replay_all([query(1, is_judged=False)], retriever)
    assert outcomes == (Outcome(query_id="q1"),)
    assert retriever.attempts.total() == 0


@pytest.mark.parametrize("reason", TEMPORARY)
def test_a_temporary_failure_is_retried(reason):
    """A temporary failure gets a second attempt, whose result counts."""
    retriever = ScriptedRetriever({"q1": [reason]})
    ((outcome,), _, _) = replay_all([query(1)], retriever)
    assert outcome.ranking == Ranking(doc_ids=("q1-0", "q1-1", "q1-2"))
    assert retriever.attempts["q1"] == 2


@pytest.mark.parametrize("reason", TEMPORARY)
def test_a_repeated_failure_is_returned_after_the_final_attempt(reason):
    """A failing target gets the configured number of attempts and no more."""
    retriever = ScriptedRetriever({"q1": [reason] * 9})
    ((outcome,), _, _) = replay_all([query(1)], retriever, attempts=3)
    assert outcome.failure is not None
    assert outcome.failure.reason is reason
    assert outcome.failure.detail == "scripted"
    assert retriever.attempts["q1"] == 3


@pytest.mark.parametrize("reason", PERMANENT)
def test_a_permanent_failure_is_not_retried(reason):
    """A retry of a permanent failure would only load the target."""
    retriever = ScriptedRetriever({"q1": [reason]})
    ((outcome,), _, _) = replay_all([query(1)], retriever)
    assert outcome.failure is not None
    assert outcome.failure.reason is reason
    assert retriever.attempts["q1"] == 1


def test_the_wait_between_attempts_is_limited(monkeypatch):
    """A Retry-After of a day does not block a probe: the wait has an upper limit."""
    waits: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float, *_: object) -> None:
        waits.append(seconds)
        await sleep(0)

    class Busy(ScriptedRetriever):
        async def retrieve(self, query: str, k: int) -> Ranking:
            raise RetrieverError(Reason.RATE_LIMITED, "HTTP 429", retry_after_s=86_400.0)

    monkeypatch.setattr("asyncio.sleep", note)
    asyncio.run(probe(query(1), Busy(), depth=1))
    assert waits == [PATIENCE_S]


def test_an_answer_can_be_stored():
    """U+0000 and lone surrogates in an answer are replaced; line breaks stay."""

    class Odd:
        concurrency, takes_contexts = 1, False

        async def answer(self, query: str, contexts: Sequence[str] | None = None) -> Answer:
            return Answer(text="yes\x00\nno\ud800")

        async def close(self) -> None:
            """There is nothing to release."""

    reply = asyncio.run(request_answer("q", Odd()))  # type: ignore[arg-type]
    assert reply.answer is not None
    assert reply.answer.text == "yes\ufffd\nno\ufffd"


def test_the_delays_of_many_probes_differ(monkeypatch):
    """Probes that failed together do not come back together."""
    waits: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float, *_: object) -> None:
        waits.append(seconds)
        await sleep(0)

    monkeypatch.setattr("asyncio.sleep", note)
    for reason, retry_after_s in ((Reason.BROKEN, None), (Reason.RATE_LIMITED, 1.0)):

        async def fail(reason: Reason = reason, retry_after_s: float | None = retry_after_s) -> Ranking:
            raise RetrieverError(reason, "scripted", retry_after_s=retry_after_s)

        waits.clear()
        for _ in range(20):
            asyncio.run(attempt(fail, 2))
        assert len({*waits}) == 20
        assert all(abs(wait - (retry_after_s or FIRST_DELAY_S)) <= JITTER_S for wait in waits)


def test_the_duration_is_that_of_the_final_attempt():
    """The duration of a probe excludes earlier attempts and the waits between them."""

    class Slow(ScriptedRetriever):
        async def retrieve(self, query: str, k: int) -> Ranking:
            await asyncio.sleep(0.05)
            self.attempts[query] += 1
            if self.attempts[query] == 1:
                self.failed_at = time.perf_counter()
                raise RetrieverError(Reason.BROKEN, "scripted", retry_after_s=0.3)
            return Ranking(doc_ids=("d",))

    retriever = Slow()
    outcome = asyncio.run(probe(query(1), retriever, depth=1))
    assert 0.04 < outcome.duration_s <= time.perf_counter() - retriever.failed_at - 0.3


def test_outcomes_are_saved_during_the_run(monkeypatch):
    """A crash loses only the final moments of a run: batches are saved before all probes are sent."""
    monkeypatch.setattr("monitor.probing.replay.SAVE_EVERY_S", 0.01)

    class Slow(ScriptedRetriever):
        async def retrieve(self, query: str, k: int) -> Ranking:
            await asyncio.sleep(0.01)
            return await super().retrieve(query, k)

    _, batches, _ = replay_all([query(number) for number in range(12)], Slow(concurrency=2))
    assert len(batches.saved) > 2
    assert len(batches.query_ids) == len(set(batches.query_ids)) == 12


def test_an_empty_suite_saves_no_batch():
    """An empty suite ends at once, without an empty batch."""
    outcomes, batches, _ = replay_all([], ScriptedRetriever())
    assert outcomes == ()
    assert batches.saved == []


def test_a_failing_store_ends_the_run(monkeypatch):
    """The run ends with the error of the store, and sends no further probes."""
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
        asyncio.run(replay(queries, Endpoints(retriever=retriever, depth=1), save=refuse, watch=lambda _: None))
    assert retriever.attempts.total() < 100


def test_a_failing_store_ends_the_run_at_the_final_batch_too():
    """A run whose final outcomes are not saved fails."""

    async def refuse(_: Sequence[Outcome]) -> None:
        raise StoreError("the disk is full")

    with pytest.raises(StoreError, match="the disk is full"):
        asyncio.run(
            replay([query(1)], Endpoints(retriever=ScriptedRetriever(), depth=1), save=refuse, watch=lambda _: None)
        )


@pytest.mark.parametrize("concurrency", [1, 3, 64])
def test_concurrent_probes_do_not_exceed_the_limit_of_the_retriever(concurrency):
    """The number of concurrent probes reaches the limit and never exceeds it."""
    retriever = ScriptedRetriever(concurrency=concurrency)
    replay_all([query(number) for number in range(64)], retriever)
    assert retriever.most_in_flight == concurrency


def test_a_cancelled_replay_sends_no_further_probes():
    """Cancelling a run stops its workers."""
    retriever = ScriptedRetriever(concurrency=1)

    async def run() -> int:
        work = asyncio.create_task(
            replay(
                [query(n) for n in range(20_000)],
                Endpoints(retriever=retriever, depth=1),
                save=Batches(),
                watch=lambda _: None,
            )
        )
        await asyncio.sleep(0.05)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        n_before = retriever.attempts.total()
        await asyncio.sleep(0.05)
        return retriever.attempts.total() - n_before

    assert asyncio.run(run()) == 0


class Echo:
    """An answerer without retrieval, which returns the contexts that it was sent."""

    concurrency = 4
    takes_contexts = needs_contexts = True

    async def answer(self, query: str, contexts: Sequence[str] | None = None) -> Answer:
        """The query and the contexts as one text."""
        return Answer(text=f"{query}: {contexts}")

    async def close(self) -> None:
        """There is nothing to release."""


def test_an_answerer_without_retrieval_gets_the_texts_of_the_first_hits():
    """The texts within the window are sent and recorded; without them the answer fails with a reason."""
    queries = [replace(query(number), answers=("yes",)) for number in (1, 2, 3)]
    texts = {f"q{number}-{rank}": f"text {number}.{rank}" for number in (1, 3) for rank in (0, 1)}
    retriever = ScriptedRetriever({"q3": [Reason.REJECTED]})
    endpoints = Endpoints(retriever=retriever, depth=3, answerer=Echo(), contexts=ContextTexts(2, texts))
    outcomes = asyncio.run(replay(queries, endpoints, save=Batches(), watch=lambda _: None))
    replies = {outcome.query_id: outcome.reply for outcome in outcomes}
    assert replies["q1"] is not None
    assert replies["q1"].answer == Answer(text="q1: ('text 1.0', 'text 1.1')", doc_ids=("q1-0", "q1-1"))
    assert replies["q1"].answer.contexts == ("text 1.0", "text 1.1")
    reasons = {query_id: reply.reason for query_id, reply in replies.items() if reply}
    assert reasons == {"q1": None, "q2": Reason.REJECTED, "q3": Reason.REJECTED}


def test_two_targets_follow_their_chains_with_their_own_answers():
    """Side by side, the second hop of each target has the answer of this target to the first one."""
    chain = [
        replace(query(1), answers=("yes",)),
        replace(query(2), text="and {answer}?", follows="q1", answers=("yes",)),
    ]

    class Named(Echo):
        """An answerer that retrieves by itself and answers with its name."""

        needs_contexts = False

        def __init__(self, name: str) -> None:
            self.name, self.received = name, list[str]()

        async def answer(self, query: str, contexts: Sequence[str] | None = None) -> Answer:
            """The name."""
            self.received.append(query)
            return Answer(text=self.name)

    old, new = Named("old"), Named("new")
    both = [Endpoints(retriever=ScriptedRetriever(), depth=3, answerer=answerer) for answerer in (old, new)]
    outcomes = asyncio.run(replay_both(chain, both[0], both[1], watch=lambda _: None))
    assert [each.received for each in (old, new)] == [["q1", "and old?"], ["q1", "and new?"]]
    assert [[outcome.query_id for outcome in side] for side in outcomes] == [["q1", "q2"], ["q1", "q2"]]
