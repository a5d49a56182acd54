"""Policies in the configuration: margins, floors and error levels."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from monitor.config.section import Duration, Probability, Ratio, Section
from monitor.errors import ComparisonError
from monitor.evaluation.measures import parse
from monitor.model.policies import Policy, QueryText, Tolerance
from monitor.model.suites import Axis


def _canonical_name(value: str) -> str:
    try:
        return parse(value).name
    except ComparisonError as error:
        raise ValueError(str(error)) from error


def _refuse_lower_is_better(value: str) -> str:
    if not parse(value).measure.higher_is_better:
        raise ValueError(f"measure {value!r} cannot gate: less of it is better, and every test takes a fall for a loss")
    return value


MeasureName = Annotated[str, AfterValidator(_canonical_name)]
GatingMeasure = Annotated[MeasureName, AfterValidator(_refuse_lower_is_better)]


class ToleranceOptions(Section):
    """Another margin or floor for some measures. A key that is left out matches everything."""

    axis: Axis | None = None
    """``broad`` or ``compositional``."""
    suite: str | None = None
    """A suite, by name."""
    stratum: str | None = None
    """A domain or phenomenon; ``overall`` is the whole suite."""
    measure: MeasureName | None = None
    """A measure such as ``ndcg@10``."""
    margin: Ratio | None = None
    """Instead of the policy's ``margin``."""
    floor_absolute: Ratio | None = None
    """Instead of the policy's ``floor_absolute``."""
    floor_relative: Ratio | None = None
    """Instead of the policy's ``floor_relative``."""


class PolicyOptions(Section):
    """The rule from evidence to a verdict."""

    alpha_page: Probability = 0.01
    """Family-wise error of a page: the adjusted p-value that a drop must not exceed."""
    alpha_year: Probability = 0.05
    """Error of all pages of a year together: the n-th look at a change may spend 6/(π²n²) of it."""
    alpha_warn: Probability = 0.05
    """Error level of results that do not page: gains on the other axis, detectable drops, margin tests."""
    floor_absolute: Ratio = 0.01
    """A drop must be at least this large to page, 0.01 being one point of the measure …"""
    floor_relative: Ratio = 0.02
    """… and at least this share of the baseline."""
    margin: Ratio = 0.05
    """The share of the baseline that a passed candidate may lose."""
    stratum_margin: Annotated[float, Field(gt=0, lt=1)] = 0.10
    """The share of its baseline that one stratum of a passed candidate may lose; wider than ``margin``, because the
    mean of a stratum is known less well than that of a whole axis."""
    coverage_floor: Ratio = 0.98
    """Below this share of queries without a failure the verdict is ``invalid``."""
    label_floor: Ratio = 0.98
    """Below this share of the baseline's judgements that are still valid, as far as the hits reveal it, the verdict is
    ``invalid``: the documents have changed since they were judged."""
    min_clusters: Annotated[int, Field(ge=2)] = 12
    """A stratum with fewer independent clusters of queries is reported and not tested."""
    resamples: Annotated[int, Field(ge=999)] = 9_999
    """Random sign flips of each test; more make p-values finer and the test slower."""
    replays: Annotated[int, Field(ge=24)] = 24
    """Replays that estimate the noise floor of a target whose results vary."""
    replayed_queries: Annotated[int, Field(ge=1)] = 500
    """Queries of each such replay, spread over the suite; with more, small drops are detected sooner."""
    gating: dict[Axis, tuple[GatingMeasure, ...]] = Field(default=dict(Policy().gating))
    """Measures that can page, for each axis."""

    tolerances: tuple[ToleranceOptions, ...] = ()
    """Exceptions from ``margin`` and the floors; of those that match, the final one with a value counts."""
    confirm: Annotated[int, Field(ge=1)] = 1
    """Paging verdicts in a row before on-call is notified; the target is probed again at once to confirm."""
    recover: Annotated[int, Field(ge=1)] = 2
    """Passed verdicts in a row before an incident resolves; results equal to the baseline's resolve it at once."""
    reopen_within: Duration = 86_400.0
    """A drop that comes back within this time, with the same deployment, reopens its incident."""
    critical_absolute: Ratio = 0.05
    """A drop of the whole broad axis by this much is ``critical``; a smaller one a ``warning`` …"""
    critical_relative: Ratio = 0.10
    """… and so is a drop by this share of the baseline."""
    query_text: QueryText = "show"
    """Whether alerts ``show`` the text of queries, contain its ``hash``, or ``withhold`` it."""
    context_window: Annotated[int, Field(ge=1)] = 5
    """Contexts that an answerer reads, if it does not report it; evidence beyond them does not reach the answer."""

    def to_policy(self) -> Policy:
        """The policy as the core uses it."""
        options = self.model_dump() | {"tolerances": tuple(Tolerance(**each.model_dump()) for each in self.tolerances)}
        return Policy(**options)
