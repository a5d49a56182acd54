"""Runs and the outcomes of their probes."""

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
    """The deployment that the retriever reports, if any."""
    sources: Sources | None = None
    """Sources of the texts of the hits, if the retriever reports them."""
    texts: tuple[str, ...] | None = field(default=None, compare=False, repr=False)
    """The texts of the hits, until they are searched for judged quotes; never stored."""
    corpus: str | None = field(default=None, compare=False)
    """The corpus that the retriever reports, if any; stored with the run."""

    @property
    def hits(self) -> tuple[Hit, ...]:
        """Documents with their scores, best first."""
        return tuple(map(Hit, self.doc_ids, self.scores or (None,) * len(self.doc_ids)))


@dataclass(frozen=True, slots=True)
class Failure:
    """A probe without a usable response."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of one probe: a ranking, a failure, or neither (skipped, because nothing is judged)."""

    query_id: str
    ranking: Ranking | None = None
    failure: Failure | None = None
    duration_s: float = 0.0
    """From the start of the request to the end of the response, without the time in the queue of recallwatch."""
    reply: Reply | None = None
    """The reply, if the target has an answerer and the query has a reference answer."""


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
    """Number of hits that each probe requests."""
    started_at: datetime
    finished_at: datetime | None = None
    status: RunStatus = RunStatus.RUNNING
    owner: str = ""
    """Host and process that replays it, to recognise a run that a crash left unfinished."""
    outcomes: tuple[Outcome, ...] = ()
    fingerprint: str = ""
    """SHA-256 over every ranking; equal if no ranking has changed."""
    deployment: str = ""
    """The deployment that the target declared, else the fingerprint."""
    corpus: str = ""
    """The corpus that the target declared, else the digest of the documents of the suite, else empty."""
    answers: str = ""
    """SHA-256 over every answer; empty if no answers were requested."""
    answerer: str = ""
    """The answerer, as far as the target reports it."""
    judge: str = ""
    """Fingerprint of the judge that graded the answers; empty without one."""
    anchors: tuple[tuple[float, float], ...] = ()
    """Grades of frozen answers of the baseline, then and in this run; a difference is a drift of the judge."""
    dropped_at: datetime | None = None
    """When retention dropped its rankings and answers; only their number, failures and measurements are left then."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of the queries of a run: attempted = scored + failed + skipped."""

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
