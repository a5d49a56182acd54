"""Runs and what their probes brought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from monitor.errors import Reason
from monitor.model.answers import Reply
from monitor.model.passages import Sources
from monitor.model.suites import Axis


class RunStatus(StrEnum):
    """How far a run got. Only a finished run is ever judged."""

    RUNNING = "running"
    FINISHED = "finished"
    INTERRUPTED = "interrupted"


class Hit(NamedTuple):
    """One document a retriever returned."""

    doc_id: str
    score: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """The hits of one query, best first."""

    doc_ids: tuple[str, ...]
    scores: tuple[float, ...] | None = None
    deployment: str | None = None
    """What the retriever says it is serving, when it says so."""
    sources: Sources | None = None
    """Where the texts of the hits come from, where the retriever says so."""
    texts: tuple[str, ...] | None = field(default=None, compare=False, repr=False)
    """The texts of the hits, until the judged quotes have been looked for in them; never kept."""
    corpus: str | None = field(default=None, compare=False)
    """What the retriever says it searches, when it says so; kept with the run."""

    @property
    def hits(self) -> tuple[Hit, ...]:
        """Documents with their scores, best first."""
        return tuple(map(Hit, self.doc_ids, self.scores or (None,) * len(self.doc_ids)))


@dataclass(frozen=True, slots=True)
class Failure:
    """A probe that brought nothing usable back."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one probe brought: exactly one of a ranking, a failure, or neither (skipped: no judgement)."""

    query_id: str
    ranking: Ranking | None = None
    failure: Failure | None = None
    duration_s: float = 0.0
    """From the request leaving to the response complete; waiting in recallwatch's own queue not counted."""
    reply: Reply | None = None
    """What asking for an answer brought, where the target answers and the query has a reference answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One suite replayed against one target."""

    run_id: str
    cycle_id: str
    target: str
    suite_name: str
    suite_digest: str
    axis: Axis
    depth: int
    """How many hits each probe asked for."""
    started_at: datetime
    finished_at: datetime | None = None
    status: RunStatus = RunStatus.RUNNING
    owner: str = ""
    """Host and process that replays it, so that a run left behind by a crash can be told."""
    outcomes: tuple[Outcome, ...] = ()
    fingerprint: str = ""
    """SHA-256 over every ranking: equal fingerprints mean that nothing a user could see has changed."""
    deployment: str = ""
    """What the target declared it was serving, else the fingerprint."""
    corpus: str = ""
    """What the target declared it searches, else the digest of the suite's own documents, else empty."""
    answers: str = ""
    """SHA-256 over every answer; empty where none was asked for."""
    answerer: str = ""
    """What wrote the answers, as far as the target says so."""
    judge: str = ""
    """Fingerprint of the judge that graded the answers; empty without one."""
    anchors: tuple[tuple[float, float], ...] = ()
    """Grades of frozen answers of the baseline, as given then and again in this run: what moved is the judge."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Where each query of a run went: attempted = scored + failed + skipped."""

    scored: int
    failed: int
    skipped: int
    reasons: Mapping[Reason, int] = field(default_factory=dict)

    @property
    def attempted(self) -> int:
        """Queries in the suite."""
        return self.scored + self.failed + self.skipped

    @property
    def coverage(self) -> float:
        """Scored over scored plus failed, in [0, 1]; 0 when nothing was scored."""
        probed = self.scored + self.failed
        return self.scored / probed if probed else 0.0
