"""Chains of hops: a task needs all of them, and a small loss at each is a large loss of tasks."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.evaluation.chains import Chain, chain_success, chains_of, compounding, gold_id, hop_success, mean_by_hop
from tests.properties import examples

# Nothing is timed here, and a busy machine must not fail a test.
EXAMPLES = examples(100)

lengths = st.lists(st.integers(1, 5), max_size=6)


def some_chains(lengths: list[int]) -> list[Chain]:
    """Chains of these lengths, with query ids that occur once."""
    return [tuple(f"c{number}h{hop}" for hop in range(length)) for number, length in enumerate(lengths)]


def follows_of(chains: list[Chain]) -> dict[str, str]:
    """For every query the hop before."""
    return {chain[0]: "" for chain in chains} | {after: before for chain in chains for before, after in pairwise(chain)}


@given(lengths=lengths, rng=st.randoms(use_true_random=False))
@EXAMPLES
def test_chains_are_found_in_any_order_of_their_queries(lengths: list[int], rng):
    """Every chain of two hops or more is found whole, first hop first, and no other."""
    chains = some_chains(lengths)
    follows = list(follows_of(chains).items())
    rng.shuffle(follows)
    assert set(chains_of(dict(follows))) == {chain for chain in chains if len(chain) > 1}


WRONG = {
    "unknown": ({"a": "", "b": "x"}, "query b follows 'x', which is not in the suite"),
    "itself": ({"a": "a"}, "queries a follow each other in a circle"),
    "circle": ({"z": "", "a": "c", "b": "a", "c": "b"}, "queries a, b, c follow each other in a circle"),
    "fork": ({"a": "", "b": "a", "c": "a"}, "queries b and c both follow a: a chain does not fork"),
}


@pytest.mark.parametrize(("follows", "message"), WRONG.values(), ids=WRONG)
def test_what_is_no_chain_is_refused(follows: dict[str, str], message: str):
    """An unknown hop, a circle and a fork are errors that name the queries."""
    with pytest.raises(ValueError, match=message):
        chains_of(follows)


def test_a_chain_of_ten_thousand_hops_is_found():
    """Length is no danger."""
    (chain,) = some_chains([10_000])
    assert chains_of(follows_of([chain])) == (chain,)


def test_a_hop_succeeds_when_all_its_evidence_is_within_reach():
    """A hop succeeds if its lowest relevant rank is within k; 0 means not retrieved."""
    assert hop_success({"a": 10, "b": 11, "c": 0}, k=10) == {"a": True, "b": False, "c": False}


@given(lengths=lengths, data=st.data())
@EXAMPLES
def test_a_chain_succeeds_when_every_hop_does(lengths: list[int], data: st.DataObject):
    """One lost hop loses the chain, and a hop that was not scored leaves its chain out."""
    chains = some_chains(lengths)
    known = {each: data.draw(st.sampled_from([True, True, False, None])) for chain in chains for each in chain}
    succeeded = {query_id: each for query_id, each in known.items() if each is not None}
    expected = {
        chain[-1]: float(all(known[each] for each in chain))
        for chain in chains
        if None not in [known[each] for each in chain]
    }
    assert chain_success(chains, succeeded) == expected
    by_hop = mean_by_hop(chains, succeeded)
    assert all(0.0 <= share <= 1.0 for share in by_hop)
    if expected and len({len(chain) for chain in chains}) == 1:
        assert min(by_hop) >= sum(expected.values()) / len(expected)


def test_ten_percent_of_each_hop_are_twenty_seven_of_the_task():
    """If three hops lose a tenth each, the loss of whole tasks is the compounded loss."""
    chains = some_chains([3] * 1_000)
    everything = dict.fromkeys((each for chain in chains for each in chain), True)
    digit = {chain: f"{number:03d}" for number, chain in enumerate(chains)}
    after = {each: digit[chain][hop] != "0" for chain in chains for hop, each in enumerate(chain)}
    found = compounding(chains, everything, after, rng=np.random.default_rng(1))
    assert (found.hop_loss, found.chain_loss) == (pytest.approx(0.1), pytest.approx(0.271))
    assert found.factor == pytest.approx(2.71)
    assert found.factor_interval[0] < 2.71 < found.factor_interval[1]
    assert found.n_chains == found.n_clusters == 1_000


def drawn(rng: np.random.Generator, success: float, chains: list[Chain]) -> dict[str, bool]:
    """Whether each hop succeeded, by chance."""
    return {each: bool(rng.random() < success) for chain in chains for each in chain}


@pytest.mark.slow
def test_the_intervals_hold_the_truth_as_often_as_they_say():
    """Where hops succeed independently with known chances, the true losses and factor are inside 95 % of the time."""
    chains, before, after = some_chains([3] * 150), 0.95, 0.80
    truth = (1 - after / before, 1 - (after / before) ** 3)
    held = np.zeros(3)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        runs = drawn(rng, before, chains), drawn(rng, after, chains)
        found = compounding(chains, *runs, rng=rng, resamples=400)
        spans = found.hop_loss_interval, found.chain_loss_interval, found.factor_interval
        for number, (value, (lower, upper)) in enumerate(zip((*truth, truth[1] / truth[0]), spans, strict=True)):
            held[number] += lower <= value <= upper
    # 200 draws of 0.95 fall below 0.89 once in thousands of times.
    assert (held / 200 >= 0.89).all()


def test_chains_of_one_cluster_are_one_piece_of_evidence():
    """Copies of a chain narrow no interval."""
    once = some_chains([2] * 30)
    copied = once + [tuple(f"copy of {each}" for each in chain) for chain in once]
    rng = np.random.default_rng(5)
    before, after = drawn(rng, 0.95, once), drawn(rng, 0.6, once)
    clusters = {each: chain[0] for chain in once for each in chain}
    twice = [{**run, **{f"copy of {each}": value for each, value in run.items()}} for run in (before, after, clusters)]
    alone = compounding(once, before, after, rng=np.random.default_rng(1))
    together = compounding(copied, twice[0], twice[1], rng=np.random.default_rng(1), cluster_of=twice[2])
    assert together.n_chains == 2 * alone.n_chains
    assert together.n_clusters == alone.n_clusters
    assert together.chain_loss_interval == pytest.approx(alone.chain_loss_interval)


def test_what_cannot_be_told_is_unknown():
    """No chains, one chain, a baseline without success and hops that lost nothing are NaN, and raise nothing."""
    chains = some_chains([2, 2, 2])
    good, bad = ({each: value for chain in chains for each in chain} for value in (True, False))
    rng = np.random.default_rng(1)
    none, unscored = compounding([], good, bad, rng=rng), compounding(chains, {}, bad, rng=rng)
    assert none.n_chains == unscored.n_chains == 0
    assert all(map(math.isnan, (none.hop_loss, none.chain_loss, none.factor, *none.factor_interval)))
    assert all(map(math.isnan, compounding(chains[:1], good, bad, rng=rng).chain_loss_interval))
    from_nothing = compounding(chains, bad, good, rng=rng)
    assert all(map(math.isnan, (from_nothing.chain_loss, *from_nothing.chain_loss_interval, from_nothing.factor)))
    same = compounding(chains, good, good, rng=rng)
    assert (same.hop_loss, same.chain_loss, same.hop_loss_interval) == (0.0, 0.0, (0.0, 0.0))
    assert all(map(math.isnan, (same.factor, *same.factor_interval)))


def test_a_chain_that_one_run_did_not_score_is_in_neither():
    """A hop that failed to be asked is no lost hop: its chain is compared with nothing."""
    chains = some_chains([2, 2])
    before = {each: True for chain in chains for each in chain}
    after = dict.fromkeys(chains[0], True) | {chains[1][0]: False}
    found = compounding(chains, before, after, rng=np.random.default_rng(1))
    assert (found.n_chains, found.hop_candidate, found.chain_candidate) == (1, 1.0, 1.0)


def test_the_same_seed_gives_the_same_intervals():
    """A decision can be recomputed from stored data."""
    chains = some_chains([3] * 20)
    runs = [drawn(np.random.default_rng(seed), chance, chains) for seed, chance in ((1, 0.9), (2, 0.7))]
    first, second = (compounding(chains, *runs, rng=np.random.default_rng(3)) for _ in range(2))
    assert first == second


def test_a_hop_after_a_wrong_answer_is_no_loss_of_its_own():
    """300 chains of three hops that lose a tenth at each hop: hops lose 10 %, chains 27 %, a factor of 2.7."""
    chains = some_chains([3] * 300)
    everything = {each: True for chain in chains for each in chain}
    everything |= {gold_id(each): True for chain in chains for each in chain[1:]}
    after = {}
    for number, chain in enumerate(chains):
        digits = f"{number % 1000:03d}" if number < 300 else ""
        own = [digits[2] != "0", digits[1] != "0", (number + number // 10 + number // 100) % 10 != 0]
        for hop, query_id in enumerate(chain):
            after[query_id] = all(own[: hop + 1])  # the cascade: a wrong answer loses all later hops
            if hop:
                after[gold_id(query_id)] = own[hop]
    found = compounding(chains, everything, after, rng=np.random.default_rng(1))
    assert found.hop_loss == pytest.approx(0.1, abs=0.005)
    assert found.chain_loss == pytest.approx(0.271, abs=0.02)
    assert found.factor == pytest.approx(2.7, abs=0.2)
    assert found.factor_interval[0] < 2.7 < found.factor_interval[1]


def test_a_chain_whose_gold_question_was_scored_once_is_in_neither():
    """A gold question that failed in one run must not be compared with the cascade of the other."""
    chains = some_chains([2, 2])
    before = {each: True for chain in chains for each in (*chain, gold_id(chain[1]))}
    after = {each: value for each, value in before.items() if each != gold_id(chains[1][1])}
    assert compounding(chains, before, after, rng=np.random.default_rng(1)).n_chains == 1
