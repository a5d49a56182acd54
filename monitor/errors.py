"""Every error recallwatch raises, and the closed list of reasons a system outside can fail for.

    MonitorError
    ├── ConfigError       a key of the configuration is missing, unknown or wrong
    ├── SuiteError        a file of a suite is broken
    ├── ComparisonError   two runs that cannot be compared, and why
    ├── BudgetError       a cycle that would ask more of a target than it may
    ├── StoreError        the store is out of reach or refuses
    └── AdapterError      a system outside failed, with a `Reason`
        ├── RetrieverError
        ├── AnswererError
        ├── JudgeError
        └── NotifierError

Each message names where the trouble is and what to do about it.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a system outside failed; also the value of the Prometheus label ``reason``."""

    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    UNAUTHORISED = "unauthorised"
    RATE_LIMITED = "rate_limited"
    REJECTED = "rejected"
    BROKEN = "broken"
    MALFORMED = "malformed"
    BUDGET_SPENT = "budget_spent"

    @property
    def is_worth_retrying(self) -> bool:
        """Whether the same request may succeed later without anybody changing anything."""
        return self in _PASSING


_PASSING = frozenset({Reason.TIMEOUT, Reason.UNREACHABLE, Reason.RATE_LIMITED, Reason.BROKEN})


class MonitorError(Exception):
    """Anything recallwatch refuses or could not do."""


class _LocatedError(MonitorError):
    """An error with a place: a key of the configuration, or a line of a file."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}")
        self.where = where
        self.problem = problem


class ConfigError(_LocatedError):
    """A key of the configuration is missing, unknown or wrong."""


class SuiteError(_LocatedError):
    """A file of a suite is missing, broken or contradicts another."""


class ComparisonError(MonitorError):
    """Two runs that must not be compared: the ruler moved between them."""


class BudgetError(MonitorError):
    """A cycle that would send more probes than a target may get."""


class StoreError(MonitorError):
    """The store is out of reach, full or refuses."""


class AdapterError(MonitorError):
    """A system outside failed."""

    def __init__(self, reason: Reason, detail: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.retry_after_s = retry_after_s


class RetrieverError(AdapterError):
    """A retriever brought nothing usable back."""


class AnswererError(AdapterError):
    """An answerer brought no usable answer back."""


class JudgeError(AdapterError):
    """A judge gave no usable grade."""


class NotifierError(AdapterError):
    """An alert could not be delivered this time."""
