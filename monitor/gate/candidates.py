"""The strongest of several candidates that passes: adapter strengths, checkpoints of a training run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from monitor.decision.trade_off import GAINS
from monitor.gate.gate import GatePlan
from monitor.model.gates import EXIT_CODES, GateReport
from monitor.model.suites import Axis
from monitor.model.verdicts import Verdict, VerdictName
from monitor.statistics.pairing import OVERALL, PHENOMENA


@dataclass(frozen=True, slots=True)
class Choice:
    """The reports of all candidates, and the strongest that passed."""

    reports: tuple[GateReport, ...]
    strongest: GateReport | None

    @property
    def exit_code(self) -> int:
        """0 if one passed; else the mildest exit code of all."""
        order = [0, EXIT_CODES[VerdictName.INCONCLUSIVE], 1, 2, 3]
        return min((report.exit_code for report in self.reports), key=order.index) if self.strongest is None else 0


def divided(gate: GatePlan, candidate: str, n_candidates: int) -> GatePlan:
    """The gate of one of several candidates: the error level of passing is divided by their number.

    The best of several is chosen, so that a bad one has as many chances to pass by luck.
    """
    policy = replace(gate.plan.policy, alpha_warn=gate.plan.policy.alpha_warn / n_candidates)
    return replace(gate, plan=replace(gate.plan, target=candidate, policy=policy))


def choose(reports: Sequence[GateReport]) -> Choice:
    """The candidate with the largest gain among those that passed; of equals the later one."""
    passed = [report for report in reports if report.outcome is VerdictName.PASSED]
    strongest = max(reversed(passed), key=lambda report: gain_of(report.verdict), default=None)
    return Choice(tuple(reports), strongest)


def gain_of(verdict: Verdict) -> float:
    """The gain of structure by the most sensitive measure with evidence; without one, of all gating measures."""
    pooled = {
        each.measure: each.difference
        for stratum in (OVERALL, PHENOMENA)
        for each in verdict.evidence
        if each.axis is Axis.COMPOSITIONAL and each.stratum == stratum
    }
    leading = next((pooled[each.name] for each in GAINS if each.name in pooled), None)
    if leading is not None:
        return leading
    overall = [each.difference for each in verdict.evidence if each.stratum == OVERALL]
    return sum(overall) / len(overall) if overall else 0.0
