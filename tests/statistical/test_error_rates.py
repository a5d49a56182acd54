"""How often the decision core is wrong, and how often it finds what is there, on simulated retrievers.

Seeds are fixed, and bounds leave room for three standard errors.
"""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pytest
from scipy import stats

from monitor.decision.comparison import compare, pair_all
from monitor.model.measurements import Floats, Measured, Measurements
from monitor.model.policies import Policy
from monitor.model.runs import Counts
from monitor.model.suites import Axis, Suite
from monitor.model.verdicts import Evidence
from monitor.statistics.non_inferiority import relative_non_inferiority
from monitor.statistics.pairing import OVERALL, Paired
from monitor.statistics.significance import holm, interval
from tests.builders import a_query, a_run, a_suite

pytestmark = pytest.mark.slow

POLICY = Policy(resamples=999, gating={Axis.BROAD: ("recall@10", "mrr@10")})
ALPHA = 0.05
MARGIN = 0.05


def recall(scores: Floats, is_relevant: Floats) -> Floats:
    """Share of a query's relevant documents that are found."""
    return np.asarray(((scores > 0) & (is_relevant > 0)).sum(axis=1) / is_relevant.sum(axis=1))


def mrr(scores: Floats, is_relevant: Floats) -> Floats:
    """Reciprocal rank of the best of them, among the first ten."""
    best = np.where(is_relevant > 0, scores, -9.0).max(axis=1)
    rank = 1 + np.floor(np.exp(2.35 - best))
    return np.where(rank <= 10, 1 / rank, 0.0)


MEASURES: dict[str, Callable[[Floats, Floats], Floats]] = {"recall@10": recall, "mrr@10": mrr}


def two_retrievers(
    rng: np.random.Generator,
    queries: int,
    *,
    shift: float | Floats = 0.0,
    measure: str = "recall@10",
    clusters: int = 0,
    shared: float = 0.0,
) -> tuple[Floats, Floats]:
    """Per-query values of two retrievers of equal skill, the second of which sees every query harder by ``shift``.

    A query has one to four relevant documents. One is found if the query's difficulty, its own, and what the
    retriever makes of it add up to more than zero. ``shared`` is how much of the latter a retriever has in common
    over a cluster.
    """
    is_relevant = (np.arange(4) < rng.integers(1, 5, size=(queries, 1))).astype(float)
    difficulty = 1.2 + rng.normal(size=(queries, 1)) + rng.normal(size=(queries, 4))
    cluster = np.arange(queries) % (clusters or queries)

    def seen() -> Floats:
        common = rng.normal(size=(queries, 1))[cluster]
        own = rng.normal(size=(queries, 4))
        return 0.68 * (math.sqrt(shared) * common + math.sqrt(1 - shared) * own)

    value = MEASURES[measure]
    return value(difficulty + seen(), is_relevant), value(difficulty + seen() - np.reshape(shift, (-1, 1)), is_relevant)


@lru_cache
def shift_for(drop: float, measure: str = "recall@10") -> float:
    """How much harder every query must be for the mean to fall by this share."""
    lower, upper = -1.0, 3.0
    for _ in range(20):
        middle = (lower + upper) / 2
        before, after = two_retrievers(np.random.default_rng(0), 100_000, shift=middle, measure=measure)
        lower, upper = (middle, upper) if after.mean() > before.mean() * (1 - drop) else (lower, middle)
    return lower


@lru_cache
def suite_of(queries: int, *, strata: int = 1, clusters: int = 0) -> Suite:
    """Queries dealt out over strata and clusters."""
    return a_suite(
        *(
            a_query(f"q{each:04}", stratum=f"s{each % strata:02}", cluster=f"c{each % (clusters or queries):04}")
            for each in range(queries)
        )
    )


def is_safe(paired: Paired) -> bool:
    """Whether the margin is shown to be kept."""
    result = relative_non_inferiority(paired, margin=MARGIN)
    return result is not None and result.p_value <= ALPHA


def evidence_on(
    suite: Suite, values: tuple[Floats, Floats], rng: np.random.Generator, measure: str = "recall@10"
) -> dict[str, Evidence]:
    """What the project makes of two runs with these values, by stratum."""
    ids = tuple(query.query_id for query in suite.queries)
    counts = Counts(len(ids), 0, 0)
    before, after = (
        Measured(
            run=a_run(suite, {}), suite=suite, counts=counts, measurements={measure: Measurements(measure, ids, each)}
        )
        for each in values
    )
    return {each.stratum: each for each in compare(pair_all([(before, after)], POLICY), POLICY, rng=rng)}


def paired_on(values: tuple[Floats, Floats], clusters: int = 0) -> Paired:
    """The pairs of two runs with these values."""
    queries = len(values[0])
    names = tuple(f"c{each:04}" for each in range(clusters or queries))
    cluster = np.arange(queries) % len(names)
    baseline, candidate = values
    return Paired(
        suite="broad",
        axis=Axis.BROAD,
        stratum=OVERALL,
        measure="recall@10",
        gating=True,
        baseline=baseline,
        candidate=candidate,
        cluster=cluster,
        cluster_names=names,
    )


def at_most(rate: float, repetitions: int) -> float:
    """The largest share that a true rate shows in so many repetitions, at three standard errors."""
    return rate + 3 * math.sqrt(rate * (1 - rate) / repetitions)


def shares(repetitions: int, once: Callable[[np.random.Generator], tuple[bool, ...]]) -> Floats:
    """In which share of independent repetitions each thing happens; the same repetitions in every session."""
    return np.asarray(np.mean([once(rng) for rng in map(np.random.default_rng, range(repetitions))], axis=0))


class TestFamilyWiseError:
    """Twenty strata and the whole, adjusted together."""

    def test_of_twenty_strata_that_did_not_change_one_is_named_in_one_cycle_of_twenty(self):
        """Step-down max-T holds five per cent and does not waste them; uncorrected, nearly half of all cycles err."""
        suite = suite_of(400, strata=20)

        def once(rng: np.random.Generator) -> tuple[bool, ...]:
            found = evidence_on(suite, two_retrievers(rng, 400), rng).values()
            assert len(found) == 21
            return min(each.p_worse_adjusted for each in found) <= ALPHA, min(each.p_worse for each in found) <= ALPHA

        adjusted, raw = shares(500, once)
        assert 0.02 <= adjusted <= at_most(ALPHA, 500)
        assert raw > 0.35

    def test_one_stratum_that_loses_two_fifths_is_found_though_the_mean_hides_it(self):
        """The others rose a little, so the whole did not fall: asking the whole first would miss it."""
        suite = suite_of(1_000, strata=20)
        shift = np.where(np.arange(1_000) % 20 == 7, shift_for(0.4), shift_for(-0.02))

        def once(rng: np.random.Generator) -> tuple[bool, ...]:
            found = evidence_on(suite, two_retrievers(rng, 1_000, shift=shift), rng)
            return found["s07"].p_worse_adjusted <= ALPHA, found[OVERALL].p_worse <= ALPHA

        stratum, whole = shares(100, once)
        assert stratum > 0.97
        assert whole < 0.2

    def test_knowing_the_correlation_finds_a_hurt_stratum_more_often_than_holm(self):
        """One stratum at −20 %: max-T finds it in about four cycles of five, Holm in fewer, the whole first rarely."""
        suite = suite_of(1_000, strata=20)
        shift = np.where(np.arange(1_000) % 20 == 7, shift_for(0.2), 0.0)

        def once(rng: np.random.Generator) -> tuple[bool, ...]:
            found = evidence_on(suite, two_retrievers(rng, 1_000, shift=shift), rng)
            by_holm = dict(zip(found, holm(np.array([each.p_worse for each in found.values()])), strict=True))
            hurt = found["s07"].p_worse_adjusted <= ALPHA
            return hurt, by_holm["s07"] <= ALPHA, hurt and found[OVERALL].p_worse <= ALPHA

        by_max_t, by_holm, after_the_whole = shares(150, once)
        assert by_max_t == pytest.approx(0.8, abs=0.1)
        assert by_holm < by_max_t
        assert after_the_whole < 0.35


class TestLevel:
    """A drop that is not there."""

    @pytest.mark.parametrize(("shared", "by_query_at_least"), [(0.2, 0.06), (0.5, 0.09)])
    def test_queries_of_one_source_do_not_cry_wolf_together(self, shared: float, by_query_at_least: float):
        """Forty sources of five queries: five per cent with sources as units, clearly more with queries as units."""
        by_source, by_query = suite_of(200, clusters=40), suite_of(200)

        def once(rng: np.random.Generator) -> tuple[bool, ...]:
            values = two_retrievers(rng, 200, clusters=40, shared=shared)
            p = evidence_on(by_source, values, rng)[OVERALL].p_worse
            return p <= ALPHA, p <= 0.01, evidence_on(by_query, values, rng)[OVERALL].p_worse <= ALPHA

        warned, paged, ignoring_sources = shares(1_200, once)
        assert 0.03 <= warned <= at_most(ALPHA, 1_200)
        assert paged <= at_most(0.01, 1_200)
        assert ignoring_sources > by_query_at_least


class TestPower:
    """A drop that is there."""

    @pytest.mark.parametrize(
        ("measure", "drop", "power"),
        [
            ("recall@10", 0.02, 0.20),
            ("recall@10", 0.05, 0.60),
            ("recall@10", 0.08, 0.90),
            ("recall@10", 0.20, 1.00),
            ("mrr@10", 0.05, 0.42),
            ("mrr@10", 0.08, 0.76),
        ],
    )
    def test_two_hundred_queries_find_a_drop_as_often_as_published(self, measure: str, drop: float, power: float):
        """Within seven points of the table: what the generator leaves open, and the sampling error."""
        suite, shift = suite_of(200), shift_for(drop, measure)

        def once(rng: np.random.Generator) -> tuple[bool, ...]:
            values = two_retrievers(rng, 200, shift=shift, measure=measure)
            return (evidence_on(suite, values, rng, measure)[OVERALL].p_worse <= ALPHA,)

        [found] = shares(800, once)
        assert found == pytest.approx(power, abs=0.07)

    @pytest.mark.parametrize(
        ("measure", "queries", "published"),
        [
            ("recall@10", 50, 0.124),
            ("recall@10", 200, 0.062),
            ("recall@10", 1_000, 0.028),
            ("mrr@10", 50, 0.175),
            ("mrr@10", 200, 0.088),
            ("mrr@10", 1_000, 0.039),
        ],
    )
    def test_the_detectable_drop_is_the_published_one(self, measure: str, queries: int, published: float):
        """Of a swap that did no harm, relative to the baseline, on average over swaps; within a tenth of the table."""
        suite, found = suite_of(queries), []
        for rng in map(np.random.default_rng, range(60)):
            values = two_retrievers(rng, queries, measure=measure)
            each = evidence_on(suite, values, rng, measure)[OVERALL]
            found.append(each.mde / each.baseline_mean)
        assert np.mean(found) == pytest.approx(published, rel=0.1)

    def test_a_drop_of_the_detectable_size_is_found_four_times_in_five(self):
        """What is said of a verdict that shows nothing is true: a drop of 6.2 % would have been seen."""
        suite, shift = suite_of(200), shift_for(0.062)

        def once(rng: np.random.Generator) -> tuple[bool, ...]:
            return (evidence_on(suite, two_retrievers(rng, 200, shift=shift), rng)[OVERALL].p_worse <= ALPHA,)

        [found] = shares(800, once)
        assert found == pytest.approx(0.8, abs=0.07)


class TestSafety:
    """A swap that is called safe and is not."""

    @pytest.mark.parametrize(("queries", "plain", "safe"), [(50, 0.40, 0.0), (200, 0.12, 0.024), (1_000, 0.09, 0.051)])
    def test_rare_total_losses_of_just_the_margin_are_not_called_safe(self, queries: int, plain: float, safe: float):
        """One found query in twenty is lost altogether. Often none is in the sample; a plain t test falls for that."""

        def once(rng: np.random.Generator) -> tuple[bool, ...]:
            before = (rng.random(queries) < 0.36).astype(float)
            after = before * (rng.random(queries) >= MARGIN)
            kept = after - (1 - MARGIN) * before
            error = kept.std(ddof=1) / math.sqrt(queries)
            by_t = bool(kept.mean() > stats.t.isf(ALPHA, queries - 1) * error)
            return by_t, is_safe(paired_on((before, after)))

        by_t, by_us = shares(4_000, once)
        assert by_us <= at_most(ALPHA, 4_000)
        assert by_us == pytest.approx(safe, abs=0.015)
        assert by_t == pytest.approx(plain, abs=0.03)

    @pytest.mark.parametrize(("sources", "found"), [(40, 1.0), (40, 0.36), (100, 0.36), (200, 0.36)])
    def test_rare_losses_of_whole_sources_are_not_called_safe(self, sources: int, found: float):
        """One source in twenty is lost with all its five queries: the loss is of the margin, and not safe."""
        source = np.arange(5 * sources) % sources

        def once(rng: np.random.Generator) -> tuple[bool, ...]:
            before = (rng.random(sources) < found).astype(float)
            after = before * (rng.random(sources) >= MARGIN)
            return (is_safe(paired_on((before[source], after[source]), sources)),)

        [safe] = shares(1_500, once)
        assert safe <= at_most(ALPHA, 1_500)

    def test_a_loss_of_the_margin_spread_over_all_queries_is_not_called_safe(self):
        """A true −5 %: one in twenty is called safe at most, where “not significant” would call two in five so."""
        suite, shift = suite_of(200), shift_for(MARGIN)

        def once(rng: np.random.Generator) -> tuple[bool, ...]:
            each = evidence_on(suite, two_retrievers(rng, 200, shift=shift), rng)[OVERALL]
            return each.p_not_safe <= ALPHA, each.p_worse > ALPHA

        safe, insignificant = shares(800, once)
        assert safe <= at_most(ALPHA, 800)
        assert insignificant == pytest.approx(0.38, abs=0.07)

    def test_a_swap_that_does_no_harm_is_called_safe(self):
        """With a thousand queries nearly always: the caution is not paid for with silence."""

        def once(rng: np.random.Generator) -> tuple[bool, ...]:
            return (is_safe(paired_on(two_retrievers(rng, 1_000))),)

        [safe] = shares(300, once)
        assert safe > 0.95


class TestIntervals:
    """Where the true difference lies."""

    @pytest.mark.parametrize(
        ("queries", "sources", "least"),
        [(15, 15, 0.93), (75, 15, 0.93), (50, 50, 0.95), (200, 200, 0.95), (125, 25, 0.95), (200, 40, 0.95)],
    )
    def test_nineteen_of_twenty_hold_the_true_difference(self, queries: int, sources: int, least: float):
        """Of a true −8 %; with fifteen sources of so coarse values it is one in twenty and a little more."""
        shift, shared = shift_for(0.08), 0.0 if sources == queries else 0.3
        before, after = two_retrievers(np.random.default_rng(0), 400_000, shift=shift)
        truth = float((after - before).mean())

        def once(rng: np.random.Generator) -> tuple[bool, ...]:
            values = two_retrievers(rng, queries, shift=shift, clusters=sources, shared=shared)
            lower, upper = interval(paired_on(values, sources))
            return (lower <= truth <= upper,)

        [held] = shares(1_000, once)
        assert 1 - held <= at_most(1 - least, 1_000)
        assert held < 0.99
