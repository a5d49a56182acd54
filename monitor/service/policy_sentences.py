"""A policy in sentences: which drops page, which do not, and why."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.change_detection.monitor import RESCORED_STEP
from monitor.model.policies import Policy, Tolerance
from monitor.statistics.churn import ALLOWANCE, DEVIATIONS, LEARNED_CHANGES, LEARNED_CYCLES
from monitor.statistics.error_budget import EQUAL_LOOKS, alpha_of_silent_look
from monitor.statistics.strata_guard import LEVEL, OWN_LEVEL

_LATER_LOOKS = (11, 20, 30)
"""Silent looks of a year whose levels are shown, besides the first ones."""
_STRATA = {
    "broad": "over the whole suite and in every stratum by itself",
    "compositional": (
        "in every phenomenon by itself; the mean over several phenomena does not page, and control strata page by "
        "rank measures only"
    ),
}


def sentences_of(policy: Policy) -> Iterator[str]:
    """One sentence for each rule of a policy."""
    for axis, measures in policy.gating.items():
        yield f"On the {axis} axis {_join(measures)} can page, {_STRATA[axis]}."
    yield (
        f"A drop pages if it is significant (adjusted p at most {policy.alpha_page:g} over all of those together) "
        f"and at least {_points(policy.floor_absolute)} and {policy.floor_relative:.0%} of the baseline."
    )
    yield from map(_exception, policy.tolerances)
    yield from _about_changes(policy)
    yield from _about_looks(policy)
    yield from _about_verdicts(policy)
    yield f"Strata with fewer than {policy.min_clusters} independent clusters are reported and not tested."


def _about_changes(policy: Policy) -> Iterator[str]:
    """The changes that lead to a comparison."""
    yield (
        "A comparison can page only after a change beyond noise and churn: a declared swap, a silent swap, a drift "
        f"below the baseline that the e-detector detects, or new scores of a further {RESCORED_STEP:.0%} of the "
        "documents."
    )
    yield (
        f"Churn is learned from {LEARNED_CYCLES} pairs of cycles, at least {LEARNED_CHANGES} of them with a changed "
        "ranking; before that, every changed ranking of a deterministic target is a swap. Later a change is a swap if "
        f"its share of rankings exceeds the usual share by more than the larger of {100 * ALLOWANCE:g} points and "
        f"{DEVIATIONS:g} standard deviations, or if a mean moves by more than {DEVIATIONS:g} usual steps."
    )
    yield (
        "A swap is compared with the run before it and with the baseline, each at half the level. A measure falls if "
        "one comparison is significant and the other shows a drop beyond the floors too. It also falls if it is "
        f"significantly below the baseline by more than the margin of {policy.margin:.0%}, whatever the last step was."
    )


def _about_looks(policy: Policy) -> Iterator[str]:
    """The error level of each comparison."""
    first, *later = (
        f"{alpha_of_silent_look(number, alpha_page=policy.alpha_page, alpha_year=policy.alpha_year):.2g}"
        for number in (1, *_LATER_LOOKS)
    )
    levels = _join([f"{level} at the {number}th" for level, number in zip(later, _LATER_LOOKS, strict=True)])
    yield f"A declared swap is judged at the full page level of {policy.alpha_page:g} and spends nothing."
    yield (
        f"A silent change is a look that spends from a yearly error budget of {policy.alpha_year:g}: the first "
        f"{EQUAL_LOOKS} looks of a year have the level {first} each, and the later ones share the other half of the "
        f"budget ({levels}). A change in too few clusters to reach its level spends nothing, and results that were "
        "judged before keep their level and verdict."
    )


def _about_verdicts(policy: Policy) -> Iterator[str]:
    """The verdicts besides regressed."""
    yield (
        "A broad drop together with a rise of separation (or of forced choice, where there are no scores) over all "
        "phenomena is called trade_off and pages too; a control stratum that fell is named beside it."
    )
    yield (
        f"A candidate is passed when two conditions hold for every gating measure. Over the whole axis it is shown to "
        f"keep {1 - policy.margin:.0%} of its baseline, at an error of {policy.alpha_warn:g}. No stratum is likely to "
        f"have lost {policy.stratum_margin:.0%}: with a probability of at most {LEVEL:.0%} in view of all strata, and "
        f"of at most {OWN_LEVEL:.0%} from the stratum alone."
    )
    yield (
        f"A drop beyond the floors that is significant at {policy.alpha_warn:g} but does not page is inconclusive with "
        "the advice watch; it never pages. A significant drop below the floors does not page either."
    )
    yield (
        f"Failed probes never change a quality number: below {policy.coverage_floor:.0%} coverage, or when suite or "
        f"depth have changed since the baseline, or fewer than {policy.label_floor:.0%} of its judgements are still "
        "valid, the verdict is invalid, which does not page for quality. A changed corpus is compared: judged "
        "documents that are gone count as lost and are named."
    )


def _exception(tolerance: Tolerance) -> str:
    scope = (tolerance.axis, tolerance.suite, tolerance.stratum, tolerance.measure)
    where = " ".join(str(part) for part in scope if part)
    values = {
        "margin": tolerance.margin,
        "absolute floor": tolerance.floor_absolute,
        "relative floor": tolerance.floor_relative,
    }
    exceptions = _join([f"a {name} of {value:.1%}" for name, value in values.items() if value is not None])
    return f"Exception for {where or 'everything'}: {exceptions}."


def _join(words: tuple[str, ...] | list[str]) -> str:
    *most, last = words or ["nothing"]
    return f"{', '.join(most)} and {last}" if most else last


def _points(ratio: float) -> str:
    return f"{100 * ratio:g} point{'' if ratio == 0.01 else 's'}"
