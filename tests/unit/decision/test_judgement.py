"""From evidence to a verdict: its name, the order of the rules, and its sentences."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from monitor.decision.comparison import compare, pair_all
from monitor.decision.judgement import (
    Judgement,
    digest_of,
    has_fallen,
    judge,
    mark,
    no_baseline,
    not_comparable,
    refuse_coverage,
)
from monitor.decision.lost_queries import lost_queries
from monitor.errors import Reason
from monitor.model.measurements import Measured
from monitor.model.policies import Policy, Tolerance
from monitor.model.runs import Counts
from monitor.model.suites import Axis, Pair
from monitor.model.verdicts import AxisSafety, Evidence, VerdictName
from tests.builders import Brought, a_measured, a_query, a_suite

PASSED, REGRESSED, TRADE_OFF, INCONCLUSIVE, INVALID = (
    VerdictName.PASSED,
    VerdictName.REGRESSED,
    VerdictName.TRADE_OFF,
    VerdictName.INCONCLUSIVE,
    VerdictName.INVALID,
)
BROAD, COMPOSITIONAL = Axis.BROAD, Axis.COMPOSITIONAL
NAN = math.nan


def evidence(difference: float = -0.001, *, baseline: float = 0.8, **others: Any) -> Evidence:
    """Evidence on a gating measure that hardly moved and is safe, unless the test sets other values."""
    defaults = {
        "suite": "broad",
        "axis": BROAD,
        "stratum": "overall",
        "measure": "recall@10",
        "gating": True,
        "n_queries": 300,
        "n_clusters": 120,
        "baseline_mean": baseline,
        "candidate_mean": baseline + difference,
        "difference": difference,
        "lower": difference - 0.02,
        "upper": difference + 0.02,
        "p_worse": 0.4,
        "p_worse_adjusted": 0.9,
        "p_better": 0.6,
        "p_better_adjusted": 0.9,
        "p_not_safe": 0.001,
        "mde": 0.03,
    }
    return Evidence(**{**defaults, **others})


def fell(difference: float = -0.1, **others: Any) -> Evidence:
    """Evidence of a large and significant drop."""
    return evidence(
        difference, **{"p_worse": 0.0004, "p_worse_adjusted": 0.002, "p_better": 1.0, "p_not_safe": 0.99} | others
    )


def rose(difference: float = 0.2, **others: Any) -> Evidence:
    """Evidence of a large and significant rise of pair accuracy."""
    defaults = {"suite": "pairs", "axis": COMPOSITIONAL, "measure": "pair_accuracy", "baseline": 0.5}
    return evidence(difference, **defaults | {"p_worse": 1.0, "p_better": 0.0004, "p_better_adjusted": 0.002} | others)


def unsure(**others: Any) -> Evidence:
    """Evidence of neither a drop nor safety."""
    return evidence(-0.02, **{"p_not_safe": 0.3} | others)


def judge_all(*items: Evidence, policy: Policy | None = None, may_page: bool = True, **how: Any) -> Judgement:
    """The judgement of marked evidence, with each gating measure as safe as its least safe stratum."""
    policy = policy or Policy()
    marked = mark(items, how.pop("step", ()), policy)
    return judge(marked, safety_of(items), policy, may_page=may_page, **how)


def safety_of(items: Sequence[Evidence]) -> list[AxisSafety]:
    """The safety of each gating measure, from the p-values of its evidence."""
    groups: dict[tuple[str, str], list[Evidence]] = {}
    for item in items:
        if item.gating:
            groups.setdefault((item.suite, item.measure), []).append(item)
    return [
        AxisSafety(
            suite=suite,
            axis=group[0].axis,
            measure=measure,
            p_value=max((each.p_not_safe for each in group), key=lambda p: (p != p, p)) if _tested(group) else NAN,
            margin=0.05,
            lower=-0.01,
            is_safe=all(each.p_not_safe <= 0.05 for each in group if not math.isnan(each.p_worse)),
            worst_stratum=max(group, key=lambda each: each.p_not_safe).stratum,
        )
        for (suite, measure), group in groups.items()
    ]


def _tested(group: Sequence[Evidence]) -> bool:
    return any(not math.isnan(each.p_worse) for each in group)


def name_of(*items: Evidence, policy: Policy | None = None, may_page: bool = True, **how: Any) -> VerdictName:
    """The verdict's name."""
    return judge_all(*items, policy=policy, may_page=may_page, **how).name


class TestNames:
    """The smallest evidence for each verdict, and the fixed order of the rules."""

    @pytest.mark.parametrize(
        ("items", "name"),
        [
            pytest.param([evidence()], PASSED, id="hardly moved and safe"),
            pytest.param([evidence(0.0, lower=0.0, upper=0.0, p_not_safe=0.6)], PASSED, id="nothing changed"),
            pytest.param([evidence(0.1)], PASSED, id="broad rose"),
            pytest.param([rose()], PASSED, id="compositional rose"),
            pytest.param([fell()], REGRESSED, id="broad fell"),
            pytest.param([fell(axis=COMPOSITIONAL)], REGRESSED, id="compositional fell"),
            pytest.param([evidence(), fell(stratum="law")], REGRESSED, id="one stratum fell"),
            pytest.param([fell(), rose()], TRADE_OFF, id="broad fell, compositional rose"),
            pytest.param([fell(stratum="law"), rose()], TRADE_OFF, id="a part fell, structure rose"),
            pytest.param([unsure()], INCONCLUSIVE, id="neither shown"),
            pytest.param([evidence(), unsure(stratum="law")], INCONCLUSIVE, id="one stratum not shown to be safe"),
            pytest.param([evidence(p_not_safe=NAN)], INCONCLUSIVE, id="safety unknown"),
            pytest.param([], INCONCLUSIVE, id="no evidence"),
            pytest.param([evidence(gating=False)], INCONCLUSIVE, id="nothing gates"),
        ],
    )
    def test_the_smallest_evidence_for_each_verdict(self, items: list[Evidence], name: VerdictName):
        """One or two pieces of evidence are enough for each verdict."""
        assert name_of(*items) is name
        assert name_of(*reversed(items)) is name

    @pytest.mark.parametrize(
        ("items", "name"),
        [
            pytest.param([fell(), rose(), unsure(), evidence()], TRADE_OFF, id="trade-off before all"),
            pytest.param(
                [fell(axis=COMPOSITIONAL, stratum="a"), fell(), rose()], TRADE_OFF, id="and before other drops"
            ),
            pytest.param([fell(), unsure(), evidence()], REGRESSED, id="regressed before inconclusive"),
            pytest.param([fell(-0.03, p_not_safe=0.001)], REGRESSED, id="regressed before passed"),
            pytest.param([evidence(), unsure()], INCONCLUSIVE, id="passed only if all passed"),
        ],
    )
    def test_the_order_is_trade_off_regressed_passed_inconclusive(self, items: list[Evidence], name: VerdictName):
        """If several verdicts fit, the first in this order is returned."""
        assert name_of(*items) is name

    @pytest.mark.parametrize(
        ("items", "name"),
        [
            pytest.param([fell(axis=COMPOSITIONAL), rose(axis=BROAD)], REGRESSED, id="the other way round"),
            pytest.param([fell(axis=COMPOSITIONAL), rose(stratum="role swap")], REGRESSED, id="no broad drop"),
            pytest.param([fell(), rose(axis=BROAD)], REGRESSED, id="no compositional rise"),
            pytest.param([fell(), rose(gating=False, stratum="paraphrase")], REGRESSED, id="only a control rose"),
            pytest.param([fell(gating=False, stratum="x"), rose()], PASSED, id="only what does not gate fell"),
            pytest.param([fell(), rose(0.005)], REGRESSED, id="a rise below the floor"),
            pytest.param([fell(), rose(p_better=0.3, p_better_adjusted=0.06)], REGRESSED, id="an uncertain rise"),
            pytest.param([fell(), rose(stratum="negation")], REGRESSED, id="one phenomenon rose"),
            pytest.param([fell(p_worse=0.03, p_worse_adjusted=0.2, p_not_safe=0.01), rose()], PASSED, id="drop unsure"),
            pytest.param([fell(-0.009, p_not_safe=0.01), rose()], PASSED, id="a drop below the floor"),
        ],
    )
    def test_a_trade_off_needs_a_broad_drop_and_a_compositional_rise(self, items: list[Evidence], name: VerdictName):
        """One without the other, or each on the other axis, is not a trade-off."""
        assert name_of(*items) is name

    def test_a_trade_off_of_the_whole_axes_needs_no_correction(self):
        """Both must be significant, so raw p-values suffice for the whole axes; not for other measures or strata."""
        policy = Policy(gating={BROAD: ("recall@10", "mrr@10"), COMPOSITIONAL: ("pair_accuracy",)})
        drop = fell(p_worse=0.009, p_worse_adjusted=0.06, p_not_safe=0.3)
        rise = rose(p_better=0.009, p_better_adjusted=0.06)
        assert name_of(drop, rise, policy=policy) is TRADE_OFF
        for pair in (
            (replace(drop, p_worse=0.011), rise),
            (drop, replace(rise, p_better=0.011)),
            (replace(drop, stratum="law"), rise),
            (drop, replace(rise, stratum="negation")),
            (replace(drop, measure="mrr@10"), rise),
            (drop, replace(rise, measure="mrr@10")),
        ):
            assert name_of(*pair, policy=policy) is INCONCLUSIVE

    def test_a_gain_is_that_of_the_phenomena_without_the_controls(self):
        """A control that rose or fell neither makes nor hides a gain, also where phenomena are untested."""
        whole, phenomena = rose(), rose(stratum="phenomena", gating=False)
        assert name_of(fell(), replace(whole, p_better=0.3), phenomena) is TRADE_OFF
        assert name_of(fell(), whole, replace(phenomena, p_better=0.3)) is REGRESSED
        assert name_of(fell(), whole, replace(phenomena, p_better=NAN)) is REGRESSED

    def test_a_gain_of_separation_needs_no_size(self):
        """The unit of separation differs between targets, so a significant rise is enough; the drop has its floors."""
        rise = rose(0.03, measure="separation", gating=False)
        assert name_of(fell(), rise) is TRADE_OFF
        assert name_of(fell(), replace(rise, p_better=0.011)) is REGRESSED
        assert name_of(fell(-0.009, p_not_safe=0.01), rise) is PASSED

    def test_without_a_change_beyond_noise_no_drop_pages(self):
        """Without a look, a drop is inconclusive instead of a page; a safe result still passes."""
        assert name_of(fell(), may_page=False) is INCONCLUSIVE
        assert name_of(fell(), rose(), may_page=False) is INCONCLUSIVE
        assert name_of(evidence(), may_page=False) is PASSED

    @pytest.mark.parametrize("name", VerdictName)
    def test_regressed_and_trade_off_page_and_nothing_else_does(self, name: VerdictName):
        """Significant harm pages; uncertainty does not."""
        assert name.pages is (name in (REGRESSED, TRADE_OFF))


class TestDrop:
    """The conditions of a drop that pages."""

    @pytest.mark.parametrize(
        ("p_value", "is_drop"), [(0.01, True), (0.0101, False), (0.05, False), (1.0, False), (NAN, False)]
    )
    def test_it_is_significant_after_correction_at_the_level_of_a_page(self, p_value: float, is_drop: bool):
        """The adjusted p-value must not exceed the level; an undefined one is no drop."""
        assert has_fallen(fell(p_worse_adjusted=p_value), Policy(alpha_page=0.01)) is is_drop

    @pytest.mark.parametrize(
        ("difference", "baseline", "is_drop"),
        [
            pytest.param(-0.02, 0.8, True, id="beyond both floors"),
            pytest.param(-0.0625, 0.0625, True, id="everything was lost"),
            pytest.param(-0.0099, 0.2, False, id="less than a point"),
            pytest.param(-0.015, 0.8, False, id="less than two per cent"),
            pytest.param(0.1, 0.8, False, id="a rise"),
            pytest.param(0.0, 0.8, False, id="nothing"),
        ],
    )
    def test_it_exceeds_the_absolute_and_the_relative_floor(self, difference: float, baseline: float, is_drop: bool):
        """One point of the measure and two per cent of the baseline: both are required."""
        assert has_fallen(fell(difference, baseline=baseline), Policy()) is is_drop

    def test_a_drop_of_exactly_the_floor_is_one(self):
        """The floors are the smallest drop that pages."""
        policy = Policy(floor_absolute=0.0625, floor_relative=0.125)
        assert has_fallen(fell(-0.0625, baseline=0.5), policy)

    @pytest.mark.parametrize(
        ("baseline", "is_drop"), [(0.049, True), (0.0, True), (0.05, False), (0.06, False), (0.02, True)]
    )
    def test_of_a_baseline_below_five_points_there_is_no_relative_change(self, baseline: float, is_drop: bool):
        """A relative change of a tiny mean is meaningless: only the absolute floor applies."""
        assert has_fallen(fell(-0.0125, baseline=baseline), Policy(floor_relative=0.5)) is is_drop
        assert math.isnan(evidence(-0.0125, baseline=baseline).relative_difference) is is_drop

    def test_a_measure_that_does_not_gate_never_falls(self):
        """Neither its size nor its significance matters."""
        assert not has_fallen(fell(gating=False), Policy())

    def test_a_tolerance_applies_to_its_suite_only(self):
        """One suite may lose up to fifteen points; another may not."""
        policy = Policy(tolerances=(Tolerance(suite="law", floor_absolute=0.15),))
        assert not has_fallen(fell(-0.1, suite="law"), policy)
        assert has_fallen(fell(-0.1, suite="broad"), policy)
        assert has_fallen(fell(-0.2, suite="law"), policy)


class TestSafety:
    """The conditions of `passed`."""

    @pytest.mark.parametrize(("p_value", "name"), [(0.05, PASSED), (0.0501, INCONCLUSIVE), (NAN, INCONCLUSIVE)])
    def test_every_gating_measure_is_significantly_within_the_margin(self, p_value: float, name: VerdictName):
        """All at five per cent; a single uncertain measure prevents `passed`."""
        assert name_of(evidence(), evidence(stratum="law", p_not_safe=p_value)) is name

    def test_a_measure_that_does_not_gate_need_not_be_safe(self):
        """A control, or a measure outside the policy, does not prevent `passed`."""
        assert name_of(evidence(), unsure(gating=False)) is PASSED

    def test_a_significant_drop_below_the_floor_passes_with_a_note(self):
        """A significant drop of half a point within the margin passes, and the summary names it."""
        judgement = judge_all(evidence(), fell(-0.005, stratum="law", p_not_safe=0.001))
        assert judgement.name is PASSED
        assert "the largest drop is broad law recall@10, 0.5 points, significant" in judgement.summary

    def test_a_significant_drop_beyond_the_floor_pages_though_it_is_within_the_margin(self):
        """Three points of eighty: significant, beyond the floors, below five per cent. The floors decide."""
        assert name_of(fell(-0.03, p_not_safe=0.001)) is REGRESSED

    def test_a_significant_drop_below_the_floor_is_not_called_insignificant(self):
        """A significant drop below the floor with uncertain safety: the summary does not blame significance."""
        judgement = judge_all(fell(-0.009, p_not_safe=0.3))
        assert judgement.name is INCONCLUSIVE
        assert judgement.summary.startswith("No drop beyond the floors")

    def test_a_drop_significant_at_the_warning_level_alone_is_watched(self):
        """Between the levels of a page and of a warning, a drop beyond the floors neither pages nor passes."""
        judgement = judge_all(fell(p_worse_adjusted=0.03, p_not_safe=0.001))
        assert (judgement.name, judgement.advice) == (INCONCLUSIVE, "watch")
        assert judgement.summary.startswith("Watch broad recall@10: it fell 10.0 points (adjusted p = 0.03)")

    def test_a_gain_of_a_whole_axis_is_named_whatever_fell_elsewhere(self):
        """`passed` and `regressed` both say that the axis is better; small or chance rises are not named."""
        rise = evidence(0.06, measure="ndcg@10", p_better_adjusted=0.001)
        words = "Better: broad ndcg@10 rose 6.0 points, 0.800 → 0.860 (adjusted p = 0.001)."
        passed, regressed = judge_all(rise, evidence()), judge_all(rise, fell(stratum="law"))
        assert (passed.name, regressed.name) == (PASSED, REGRESSED)
        assert passed.summary.endswith(words)
        assert regressed.summary.endswith(words)
        for unnamed in (replace(rise, p_better_adjusted=0.02), evidence(0.009, p_better_adjusted=0.001)):
            assert "Better" not in judge_all(unnamed).summary


class TestSwap:
    """At a swap, the run is compared with the baseline and with the previous run, each at half the level."""

    @pytest.mark.parametrize(
        ("against_baseline", "against_run_before", "name"),
        [
            pytest.param(fell(), fell(), REGRESSED, id="both"),
            pytest.param(fell(), fell(p_worse_adjusted=0.2), REGRESSED, id="baseline significant, step the same way"),
            pytest.param(fell(p_worse_adjusted=0.2), fell(), REGRESSED, id="step significant, baseline the same way"),
            pytest.param(fell(-0.03), evidence(), INCONCLUSIVE, id="the step did not lose anything"),
            pytest.param(evidence(), fell(), PASSED, id="better than the baseline still"),
            pytest.param(fell(p_worse_adjusted=0.006), fell(p_worse_adjusted=0.006), INCONCLUSIVE, id="half the level"),
            pytest.param(fell(-0.1), evidence(-0.001), REGRESSED, id="small steps that add up beyond the margin"),
        ],
    )
    def test_one_is_significant_and_the_other_agrees(
        self, against_baseline: Evidence, against_run_before: Evidence, name: VerdictName
    ):
        """Churn adds noise to the comparison with the baseline; a slow decline is invisible in a single step."""
        assert name_of(against_baseline, step=[against_run_before]) is name

    def test_an_untested_stratum_is_named_and_is_no_reason_to_pass(self):
        """A stratum with too few clusters neither passes nor blocks; alone, it gives `inconclusive`."""
        untested = fell(-0.4, stratum="law", p_worse=math.nan, p_worse_adjusted=math.nan, p_not_safe=0.001)
        alone = judge_all(untested)
        assert alone.name is INCONCLUSIVE
        assert alone.summary == "Nothing could be tested. Not tested (fewer than 12 clusters): broad law."
        beside = judge_all(untested, fell(-0.001, p_worse=0.4, p_worse_adjusted=0.9, p_not_safe=0.001))
        assert beside.name is PASSED
        assert beside.summary.endswith("Not tested (fewer than 12 clusters): broad law.")

    @pytest.mark.parametrize("few", [1, 3, 5])
    def test_identical_runs_pass_however_small_a_stratum_is(self, few: int):
        """Equal results pass without a test."""
        suite = a_suite(
            *(a_query(f"few{number}", stratum="few") for number in range(few)),
            *(a_query(f"many{number}", stratum="many") for number in range(40)),
        )
        run = a_measured(suite, {query.query_id: ["d1"] for query in suite.queries})
        items = compare(pair_all([(run, run)], Policy()), Policy(), rng=np.random.default_rng(1))
        assert judge_all(*items).name is PASSED


class TestSentences:
    """The summary of each verdict."""

    def test_of_a_regression(self):
        """Measure, size, both means, interval, p-value and sample."""
        judgement = judge_all(fell(-0.1), fell(-0.3, stratum="law"), evidence())
        assert judgement.summary == (
            "broad recall@10 fell 10.0 points, 0.800 → 0.700 (95 % interval 8.0 to 12.0, adjusted p = 0.002, "
            "300 queries in 120 clusters), and 1 other measure fell too."
        )
        assert judgement.advice == "roll back"

    def test_of_a_regression_of_one_stratum_alone(self):
        """The stratum is named if the whole axis did not fall."""
        judgement = judge_all(fell(-0.3, stratum="law"), fell(-0.2, stratum="art"))
        assert judgement.summary.startswith("broad law recall@10 fell 30.0 points, 0.800 → 0.500 (95 %")

    def test_of_a_trade_off(self):
        """The drop comes first, then the largest rise."""
        items = [fell(), rose(0.2), rose(0.001, stratum="binding", lower=-0.02, upper=0.02)]
        judgement = judge_all(*items)
        assert judgement.summary.startswith("broad recall@10 fell 10.0 points")
        assert judgement.summary.endswith(
            "Meanwhile compositional pair_accuracy rose 20.0 points; binding did not move."
        )
        assert judge_all(*items, model_changed=True).summary.endswith(
            "this is the trade-off of training for structure."
        )
        assert judgement.advice == "roll back"

    def test_a_rise_with_a_fallen_control_is_called_not_real(self):
        """A model that confuses paraphrases has not learned structure; a stable control adds no words."""
        control = fell(
            -0.1,
            suite="pairs",
            axis=COMPOSITIONAL,
            measure="pair_accuracy",
            gating=False,
            stratum="entity",
            is_control=True,
        )
        held = replace(control, p_worse=0.5)
        assert (
            "the gain is not real: a control stratum fell too (entity −10.0 points)"
            in judge_all(fell(), rose(), control).summary
        )
        assert "not real" not in judge_all(fell(), rose(), held).summary

    def test_of_a_passed_verdict(self):
        """The margin, and the measure with the largest drop."""
        judgement = judge_all(evidence(0.01), evidence(-0.004, stratum="law"))
        assert judgement.summary == (
            "Every gating measure kept at least 95% of its baseline; "
            "the largest drop is broad law recall@10, 0.4 points."
        )
        assert judgement.advice == "keep"

    def test_of_equal_results(self):
        """One sentence without numbers."""
        judgement = judge_all(evidence(0.0, lower=0.0, upper=0.0))
        assert judgement.summary == "Every result equals the baseline's."

    def test_identical_results_pass_beside_strata_too_small_to_test(self):
        """An exact rollback passes, although strata of few clusters have no interval."""
        whole = evidence(0.0, lower=0.0, upper=0.0)
        small = evidence(0.0, stratum="travel", lower=NAN, upper=NAN, p_worse=NAN, p_worse_adjusted=NAN)
        assert judge_all(whole, small).name is PASSED
        uncertain = replace(whole, lower=-0.1, upper=0.1, p_not_safe=0.9)
        assert judge_all(uncertain, small).name is INCONCLUSIVE
        assert judge_all(small).name is INCONCLUSIVE

    def test_of_an_inconclusive_verdict(self):
        """The number of uncertain measures, the least certain one, and the smallest detectable drop."""
        judgement = judge_all(evidence(measure="mrr@10"), unsure(mde_page=0.045), unsure(stratum="law", n_queries=40))
        assert judgement.summary == (
            "No significant drop, but 1 of 2 gating measures are not shown to be within their margin; "
            "the least certain is broad recall@10 on overall (a page detects drops from 4.5 points)."
        )
        assert judgement.advice == "watch"

    def test_of_evidence_that_does_not_gate(self):
        """The advice is to check the policy."""
        assert judge_all(evidence(gating=False)) == Judgement(
            INCONCLUSIVE, "No measure that the policy gates on was computed.", "check the policy"
        )

    def test_of_no_baseline(self):
        """The suites without a baseline, and the command to promote one."""
        judgement = no_baseline(["broad", "pairs"])
        assert judgement.name is INCONCLUSIVE
        assert judgement.summary == "There is no baseline for broad, pairs yet."
        assert "`recallwatch baseline promote`" in judgement.advice

    def test_of_runs_that_cannot_be_compared(self):
        """The verdict is invalid and names the problem."""
        judgement = not_comparable("the suite has changed")
        assert (judgement.name, judgement.summary) == (
            INVALID,
            "The runs cannot be compared: the suite has changed.",
        )


class TestCoverage:
    """Quality is not judged from too few results."""

    def test_below_the_floor_the_verdict_is_invalid(self):
        """The share, the floor, and the reasons in alphabetical order."""
        counts = Counts(90, 10, 0, {Reason.TIMEOUT: 3, Reason.RATE_LIMITED: 7})
        judgement = refuse_coverage(counts.coverage, "broad", counts, Policy())
        assert judgement == Judgement(
            INVALID,
            "Coverage of broad is 90.0%, below the floor of 98% (10 of 100 probes failed: 7 rate_limited, 3 timeout).",
            "fix the target or its connection; quality was not evaluated",
        )

    def test_failures_of_the_baseline_are_named(self):
        """No probe failed now: the missing results are the baseline's."""
        judgement = refuse_coverage(0.9, "broad", Counts(100, 0, 0), Policy())
        assert judgement is not None
        assert "0 of 100 probes failed: in the baseline" in judgement.summary

    @pytest.mark.parametrize(("share", "is_refused"), [(1, False), (0.98, False), (0.9799, True), (0, True)])
    def test_the_floor_itself_is_enough(self, share: float, is_refused: bool):
        """Coverage equal to the floor is accepted."""
        assert (refuse_coverage(share, "broad", Counts(1, 0, 0), Policy()) is not None) is is_refused


class TestLostQueries:
    """The queries of a page."""

    QUERIES = (a_query("q1"), a_query("q2", {"d1": 1, "d2": 2, "d3": 0}, stratum="law"), a_query("q3"), a_query("q4"))

    def replays(self, before: Mapping[str, Brought], after: Mapping[str, Brought]) -> tuple[Measured, Measured]:
        """Two runs of four queries."""
        suite = a_suite(*self.QUERIES)
        return a_measured(suite, before), a_measured(suite, after)

    def test_the_largest_loss_is_first_and_queries_without_a_loss_are_left_out(self):
        """Of one lost, one lower, one risen and one failed query, two are returned."""
        before: dict[str, Brought] = {"q1": ["d1"], "q2": ["d2", "d1"], "q3": ["x"], "q4": ["d1"]}
        after: dict[str, Brought] = {"q1": ["x", "d1"], "q2": ["x", "y", "z", "w"], "q3": ["d1"], "q4": Reason.TIMEOUT}
        worst, other = lost_queries([self.replays(before, after)])
        assert worst == {
            "query_id": "q2",
            "query": "what is q2?",
            "stratum": "law",
            "expected": ["d1", "d2"],
            "rank_before": 1,
            "rank_now": None,
            "retrieved_before": ["d2", "d1"],
            "retrieved_now": ["x", "y", "z"],
            "suite": "broad",
            "measure": "ndcg@10",
            "difference": -1.0,
        }
        assert (other["query_id"], other["difference"]) == ("q1", pytest.approx(1 / math.log2(3) - 1))
        assert json.loads(json.dumps([worst, other])) == [worst, other]

    def test_the_limit_applies_to_all_suites_together(self):
        """A page contains five queries by default."""
        ids = [query.query_id for query in self.QUERIES]
        replays = self.replays({query_id: ["d1"] for query_id in ids}, {query_id: ["x"] for query_id in ids})
        assert len(lost_queries([replays, replays], limit=5)) == 5
        assert len(lost_queries([replays, replays])) == 5
        assert len(lost_queries([replays], limit=9)) == 4

    def test_they_come_from_what_fell_and_are_spread_over_its_strata(self):
        """A page about the broad axis shows no query of another suite, and not one stratum alone."""
        before: dict[str, Brought] = {"q1": ["d1"], "q2": ["d1"], "q3": ["d1"], "q4": ["d1"]}
        after: dict[str, Brought] = {"q1": ["x", "d1"], "q2": ["x", "y", "d1"], "q3": ["x"], "q4": ["x"]}
        runs = [self.replays(before, after)]
        strata = [each["stratum"] for each in lost_queries(runs, [fell(measure="mrr@10")], limit=2)]
        assert sorted(strata) == sorted({query.stratum for query in self.QUERIES})
        only_law = lost_queries(runs, [fell(measure="mrr@10", stratum="law")])
        assert {each["query_id"] for each in only_law} == {"q2"}
        assert (only_law[0]["rank_before"], only_law[0]["rank_now"]) == (1, 3)
        assert lost_queries(runs, [fell(measure="mrr@10", suite="another")]) == ()

    def test_equal_runs_have_no_lost_queries(self):
        """Equal runs and no runs give an empty result."""
        same: dict[str, Brought] = {"q1": ["d1"], "q2": ["d1"], "q3": ["x"], "q4": []}
        assert lost_queries([self.replays(same, same)]) == ()
        assert lost_queries([]) == ()

    def test_the_expected_document_of_a_pair_is_the_satisfying_one(self):
        """The near-copy now ranks first: that is the loss, regardless of other relevant documents."""
        suite = a_suite(a_query("q1", {"yes": 1, "also": 1}), pairs=[Pair("q1", "yes", "no")], axis=COMPOSITIONAL)
        runs = a_measured(suite, {"q1": ["yes", "no"]}), a_measured(suite, {"q1": ["no", "yes"]})
        [loss] = lost_queries([runs])
        assert (loss["measure"], loss["difference"], loss["expected"]) == ("structure", -1.0, ["yes"])


CHANGED: dict[type, Any] = {float: lambda value: value + 0.001, int: lambda value: value + 1}
OTHER_VALUES: dict[str, Any] = {
    "gating": {BROAD: ("recall@10",)},
    "tolerances": (Tolerance(suite="law", margin=0.1),),
    "query_text": "hash",
}


class TestDigest:
    """The digest that identifies a policy."""

    @pytest.mark.parametrize("name", [field.name for field in fields(Policy)])
    def test_it_changes_with_every_field(self, name: str):
        """Every change of the rule is visible."""
        value = getattr(Policy(), name)
        other = OTHER_VALUES[name] if name in OTHER_VALUES else CHANGED[type(value)](value)
        assert digest_of(replace(Policy(), **{name: other})) != digest_of(Policy())

    def test_it_changes_with_a_measure_that_gates_on_one_axis(self):
        """The same measures with swapped axes have another digest."""
        one, other = (
            Policy(gating={BROAD: ("recall@10",), COMPOSITIONAL: ("mrr@10",)}),
            Policy(gating={BROAD: ("mrr@10",), COMPOSITIONAL: ("recall@10",)}),
        )
        assert digest_of(one) != digest_of(other)

    def test_equal_policies_have_equal_digests(self):
        """The order of the axes does not matter."""
        reordered = Policy(gating=dict(reversed(list(Policy().gating.items()))))
        assert digest_of(Policy()) == digest_of(reordered)
        assert len(digest_of(reordered)) == 64
