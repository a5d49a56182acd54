"""Explanations of the evidence that a verdict stores."""

import json
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from monitor.diagnosis.headroom_change import headroom_sentences
from monitor.diagnosis.insights import insights, sentences
from monitor.errors import Reason
from monitor.evaluation.scoring import measure
from monitor.model.answers import Answer, Grades, Reply
from monitor.model.measurements import Measured
from monitor.model.policies import Policy
from monitor.suites.chains import with_gold_hops
from tests.builders import Brought, a_measured, a_query, a_suite

HIT, MISS = ["d1"], ["x"]
SUITE = a_suite(
    a_query("a1"),
    replace(a_query("a2"), follows="a1"),
    a_query("b1"),
    replace(a_query("b2"), follows="b1"),
    a_query("single"),
)


def chains_between(before: Measured, after: Measured) -> Mapping[str, object]:
    """The part about chains of the insights into two runs."""
    return insights([(before, after)], Policy(), np.random.default_rng(1))["broad"]["chains"]


def both_ways(before: list[float], after: list[float]) -> dict[str, dict[str, list[float]]]:
    """Means by hop in a suite without gold questions, where a hop by itself is the hop of its chain."""
    return {"before": {"own": before, "chain": before}, "after": {"own": after, "chain": after}}


def test_success_of_hops_and_chains_is_stored_before_and_after():
    """One of two second hops fails: its chain fails, and the success of the second hop halves."""
    before: dict[str, Brought] = {"a1": HIT, "a2": HIT, "b1": HIT, "b2": HIT, "single": HIT}
    chains = chains_between(a_measured(SUITE, before), a_measured(SUITE, before | {"b2": MISS}))
    assert chains["success_by_hop"] == both_ways([1.0, 1.0], [1.0, 0.5])
    assert chains["recall_by_hop"] == both_ways([1.0, 1.0], [1.0, 0.5])
    assert chains["chain_success"] == {"before": {"a2": 1.0, "b2": 1.0}, "after": {"a2": 1.0, "b2": 0.0}}
    assert chains["chain_loss"] == pytest.approx(0.5)
    assert json.loads(json.dumps(chains)) == chains


def test_a_chain_with_a_failed_probe_is_left_out():
    """A timeout is not a wrong ranking: only complete chains count."""
    before: dict[str, Brought] = {"a1": HIT, "a2": HIT, "b1": MISS, "b2": HIT, "single": HIT}
    chains = chains_between(a_measured(SUITE, before), a_measured(SUITE, before | {"b1": Reason.TIMEOUT}))
    assert chains["success_by_hop"] == both_ways([0.5, 1.0], [1.0, 1.0])
    assert chains["chain_success"] == {"before": {"a2": 1.0, "b2": 0.0}, "after": {"a2": 1.0}}


def test_a_suite_without_chains_has_no_losses_of_chains():
    """Single queries form no chain."""
    suite = a_suite(a_query("q1"))
    run = a_measured(suite, {"q1": HIT})
    assert insights([(run, run)], Policy(), np.random.default_rng(1))["broad"]["chains"] is None


def test_gold_questions_separate_the_loss_of_a_hop_from_the_cascade():
    """Half of the first hops are lost, and their chains with them; the second hop by itself has lost nothing."""
    chains = [
        query
        for n in range(40)
        for query in (
            replace(a_query(f"a{n}"), answers=("x",)),
            replace(a_query(f"b{n}"), follows=f"a{n}", text="who made {answer}?"),
        )
    ]
    suite = with_gold_hops(a_suite(*chains))
    before: dict[str, Brought] = {query.query_id: HIT for query in suite.queries}
    after = before | {f"{hop}{n}": MISS for n in range(20) for hop in "ab"}
    explained = insights([(a_measured(suite, before), a_measured(suite, after))], Policy(), np.random.default_rng(1))
    chain = explained["broad"]["chains"]
    assert chain["success_by_hop"]["after"] == {"own": [0.5, 1.0], "chain": [0.5, 0.5]}
    assert (chain["hop_loss"], chain["chain_loss"], chain["factor"]) == (0.25, 0.5, 2.0)
    sentence = sentences(explained)[-1]
    assert sentence.startswith("Chains of up to 2 hops succeed 50 % less often than before, and single hops 25 %")
    assert "compounds by a factor of 2.0 (95 % interval" in sentence


def test_the_spread_of_repeated_grades_is_stored():
    """Three grades that differ by a quarter around their mean are not one sure grade."""
    suite = a_suite(*(replace(a_query(f"q{n}"), answers=("x",)) for n in range(20)))
    run = a_measured(suite, {query.query_id: HIT for query in suite.queries})
    replies = [
        replace(
            outcome,
            reply=Reply(answer=Answer(text="x"), grades=Grades("judge", (mean - 0.25, mean, mean + 0.25))),
        )
        for outcome, mean in zip(run.run.outcomes, [0.25, 0.75] * 10, strict=True)
    ]
    graded = measure(replace(run.run, outcomes=tuple(replies), judge="judge"), suite, ("recall@10",))
    judge = insights([(graded, graded)], Policy(), np.random.default_rng(1))["broad"]["judge"]
    assert judge == {
        "repeats": 3,
        "repeat_deviation": pytest.approx(0.25),
        "noise_share": pytest.approx(0.25**2 / 3 / 0.25**2),
    }


def headroom_between(before: Mapping[str, Brought], after: Mapping[str, Brought], window: int = 5) -> dict[str, object]:
    """The headroom of the insights into two runs of forty single queries."""
    suite = a_suite(*(a_query(f"q{n}", {f"d{n}": 1}) for n in range(40)))
    runs = a_measured(suite, before), a_measured(suite, after)
    return insights([runs], Policy(context_window=window), np.random.default_rng(1))["broad"]["headroom"]


def ranked(n: int, rank: int, depth: int = 10) -> list[str]:
    """Documents with that of query ``n`` at this rank; rank 0 leaves it out."""
    others = [f"x{n}-{step}" for step in range(depth)]
    return [*others[: rank - 1], f"d{n}", *others[rank:]] if rank else others


def test_evidence_that_leaves_the_context_window_is_in_the_summary():
    """Half of the documents move from rank 3 to rank 8: recall@10 is the same, and an answer no longer reads them."""
    before = {f"q{n}": ranked(n, 3) for n in range(40)}
    after = before | {f"q{n}": ranked(n, 8) for n in range(20)}
    room = headroom_between(before, after)
    assert room["ranks"] == {
        "before": {"1": 0, "2-3": 40, "4-5": 0, "6-10": 0, "11-20": 0, "21+": 0, "unretrieved": 0},
        "after": {"1": 0, "2-3": 20, "4-5": 0, "6-10": 20, "11-20": 0, "21+": 0, "unretrieved": 0},
    }
    (sentence,) = headroom_sentences(room)
    assert sentence == (
        "the evidence of 20 queries left the 5 contexts that an answer reads: 50 % have all of it there, 100 % before"
    )
    assert list(headroom_sentences(headroom_between(before, after, window=8))) == []


def test_documents_below_a_threshold_are_named():
    """A retriever that cuts by score returns two hits instead of ten, and ten documents are lost."""
    before = {f"q{n}": ranked(n, 1 if n < 30 else 4) for n in range(40)}
    cut = headroom_between(before, {query_id: doc_ids[:2] for query_id, doc_ids in before.items()})["cut"]
    assert isinstance(cut, dict)
    assert (cut["hits_before"], cut["hits"], cut["short_rankings"]) == (10.0, 2.0, 40)
    assert cut["documents"] == [f"d{n}" for n in range(30, 40)]
    assert headroom_between(before, before)["cut"] is None


def test_a_change_of_headroom_by_chance_is_no_sentence():
    """As many queries enter the window as leave it."""
    before = {f"q{n}": ranked(n, 3 if n % 2 else 8) for n in range(40)}
    after = {f"q{n}": ranked(n, 8 if n % 2 else 3) for n in range(40)}
    assert list(headroom_sentences(headroom_between(before, after))) == []
