"""Every error that recallwatch raises, and the closed list of reasons why an external system fails.

    MonitorError
    ├── ConfigError       a key of the configuration is missing, unknown or wrong
    ├── SuiteError        a file of a suite is broken
    ├── ComparisonError   two runs cannot be compared
    ├── BudgetError       a cycle exceeds the budget of a target
    ├── StoreError        the store is unreachable or rejects a request
    │   └── NotStoredError    the store has no such run
    └── AdapterError      an external system failed, with a `Reason`
        ├── RetrieverError
        ├── AnswererError
        ├── JudgeError
        └── NotifierError

Each message names the place of the problem and what to do about it.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why an external system failed; also the value of the Prometheus label ``reason``."""

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
        """Whether the same request may succeed later without any change."""
        return self in _TRANSIENT


_TRANSIENT = frozenset({Reason.TIMEOUT, Reason.UNREACHABLE, Reason.RATE_LIMITED, Reason.BROKEN})


class MonitorError(Exception):
    """The root of all errors of recallwatch."""


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
    """Two runs that cannot be compared: suites, cutoffs or corpora differ."""


class BudgetError(MonitorError):
    """A cycle that would exceed the probe budget of a target."""


class StoreError(MonitorError):
    """The store is unreachable, full or rejects a request."""


class NotStoredError(StoreError):
    """The store has no such run."""


class AdapterError(MonitorError):
    """An external system failed."""

    def __init__(
        self, reason: Reason, detail: str, *, retry_after_s: float | None = None, was_sent: bool = True
    ) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.was_sent = was_sent

    @property
    def is_worth_retrying(self) -> bool:
        """Whether the same request may succeed within seconds. One that was held back would be held back again."""
        return self.was_sent and self.reason.is_worth_retrying


class RetrieverError(AdapterError):
    """A retriever returned no usable response."""


class AnswererError(AdapterError):
    """An answerer returned no usable answer."""


class JudgeError(AdapterError):
    """A judge returned no usable grade."""


class NotifierError(AdapterError):
    """The delivery of an alert failed."""
