"""Gates: a verdict that a pipeline requests and waits for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from monitor.errors import ConfigError
from monitor.model.measurements import Measured
from monitor.model.verdicts import Verdict, VerdictName

NOT_MEASURED = 3
EXIT_CODES = {
    VerdictName.PASSED: 0,
    VerdictName.REGRESSED: 1,
    VerdictName.TRADE_OFF: 1,
    VerdictName.INVALID: 2,
    VerdictName.INCONCLUSIVE: 4,
}
"""Exit code of each verdict. An invalid one for too few answers is 3: nothing was measured."""
FAILING = frozenset(VerdictName) - {VerdictName.PASSED}


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRules:
    """What a pipeline does with each verdict."""

    fail_on: frozenset[VerdictName] = FAILING
    """Verdicts that fail the pipeline; the others exit with 0."""
    inconclusive_as: VerdictName = VerdictName.INCONCLUSIVE
    """The verdict that an inconclusive one counts as."""
    require_baseline: bool = False
    """Whether a suite without a baseline is refused before any probe."""

    @classmethod
    def read(cls, fail_on: Sequence[str], inconclusive_as: str, *, require_baseline: bool) -> GateRules:
        """The rules as a person writes them. Raises ConfigError for an unknown verdict."""
        replacement = verdict_names([inconclusive_as], where="inconclusive-as")
        if len(replacement) != 1:
            raise ConfigError("inconclusive-as", "give one verdict")
        return cls(
            fail_on=verdict_names(fail_on, where="fail-on") if fail_on else FAILING,
            inconclusive_as=next(iter(replacement)),
            require_baseline=require_baseline,
        )

    def outcome_of(self, verdict: VerdictName) -> VerdictName:
        """The verdict, with an inconclusive one replaced."""
        return self.inconclusive_as if verdict is VerdictName.INCONCLUSIVE else verdict

    def exit_code(self, verdict: VerdictName, *, is_covered: bool = True) -> int:
        """The exit code of a pipeline.

        Examples
        --------
        >>> rules = GateRules(fail_on=frozenset({VerdictName.REGRESSED}))
        >>> rules.exit_code(VerdictName.REGRESSED), rules.exit_code(VerdictName.INCONCLUSIVE)
        (1, 0)
        """
        outcome = self.outcome_of(verdict)
        if outcome not in self.fail_on:
            return 0
        if outcome is VerdictName.INVALID and not is_covered:
            return NOT_MEASURED
        return EXIT_CODES[outcome]


def verdict_names(texts: Sequence[str], *, where: str) -> frozenset[VerdictName]:
    """Verdicts by name, also several in one text with commas. Raises ConfigError for an unknown name."""
    names = [name.strip() for text in texts for name in text.split(",") if name.strip()]
    for name in names:
        if name not in set(VerdictName):
            raise ConfigError(where, f'unknown verdict "{name}"; known verdicts: {", ".join(VerdictName)}')
    return frozenset(map(VerdictName, names))


@dataclass(frozen=True, slots=True, kw_only=True)
class GateReport:
    """The verdict of a gate and the runs behind it."""

    verdict: Verdict
    measured: tuple[Measured, ...]
    rules: GateRules
    n_queries: int
    """Queries of all suites."""

    @property
    def outcome(self) -> VerdictName:
        """The verdict that the pipeline counts."""
        return self.rules.outcome_of(self.verdict.name)

    @property
    def exit_code(self) -> int:
        """The exit code of the pipeline."""
        floor = self.verdict.policy.coverage_floor
        is_covered = all(each.counts.coverage >= floor for each in self.measured)
        return self.rules.exit_code(self.verdict.name, is_covered=is_covered)

    @property
    def n_asked(self) -> int:
        """Queries that the candidate was asked."""
        return sum(measured.counts.scored + measured.counts.failed for measured in self.measured)


class GateStatus(StrEnum):
    """How far a gate got."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One requested gate, and its result once it has one."""

    gate_id: str
    requested_by: str
    requested_at: datetime
    request: Mapping[str, Any]
    status: GateStatus = GateStatus.RUNNING
    finished_at: datetime | None = None
    result: Mapping[str, Any] | None = None
    """Verdict, exit code and report; for a failed gate the problem."""
