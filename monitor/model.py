"""The nouns of asking and measuring. Frozen, plain, importing nothing that could do something.

The nouns of deciding follow in `verdict.py`.

Every word here is the word used in code, SQL, JSON, labels and prose; ``GLOSSARY`` says what each means
and the README prints it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.answer import Replies, Reply
from monitor.errors import Reason
from monitor.passage import LabelState, Passage, Sources

GLOSSARY: dict[str, str] = {
    "query": "a question asked of a retriever, as in TREC",
    "qrel": "a judgement: how relevant a document is to a query, as in TREC",
    "passage": "a judged piece of a source document, by its place or by its words; it survives re-chunking",
    "hit": "one document a retriever returned, with its score if it tells one",
    "ranking": "the hits of one query in the retriever's order; rank is position",
    "run": "the outcomes of one suite replayed against one target, as in TREC",
    "suite": "versioned queries and judgements, with reference answers where they exist",
    "axis": "`compositional` (structure: negation, role swap, binding) or `broad` (unrelated domains)",
    "stratum": "a named part of a suite that is judged by itself: a phenomenon or a domain",
    "cluster": "queries that share a source and so are not independent evidence",
    "probe": "asking one query of one deployment once",
    "target": "a configured retriever, with the answerer behind it where there is one",
    "deployment": "what a target was serving: embedding model, index, corpus and configuration",
    "outcome": "what a probe brought: a ranking, a failure, or a skip; and the reply, where answers are asked for",
    "reply": "what asking for an answer brought: an answer, or the reason why there is none",
    "judge": "a language model that grades answers; optional, and watched for drift itself",
    "failure": "a probe that brought nothing usable back, with a reason; never a zero",
    "coverage": "the share of attempted queries that did not fail",
    "measure": "an evaluation function with its cutoff, such as `recall@10`",
    "measurement": "the value of a measure on one query",
    "metric": "a Prometheus series, nothing else",
    "baseline": "the trusted run that others are compared with; it moves only by an explicit promote",
    "candidate": "the run that is being judged",
    "difference": "candidate minus baseline, paired by query; negative is worse",
    "margin": "the drop that is tolerated",
    "evidence": "a difference with its interval, p-value, number of queries and clusters, and detectable effect",
    "policy": "the rule that leads from evidence to a verdict",
    "noise floor": "how much the results of an unchanged deployment vary, learnt by replaying it; 0 if deterministic",
    "look": "one comparison that may page, taken when something changed; each spends from a yearly error budget",
    "vigil": "what is remembered of a target and suite between cycles, to tell a change from noise",
    "verdict": "`passed`, `regressed`, `trade_off`, `inconclusive` or `invalid`",
    "incident": "what lasts and on-call must know: a regression, missing data, a notifier that takes nothing",
    "alert": "one firing, acknowledged or resolved message about an incident",
    "silence": "a time in which alerts that match are held back; what still lasts afterwards is told then",
    "notifier": "an adapter that delivers alerts",
    "cycle": "one pass of the line: probe, evaluate, keep, compare, decide, queue",
}

Floats = NDArray[np.float64]


class Axis(StrEnum):
    """The two sides of the trade-off."""

    COMPOSITIONAL = "compositional"
    BROAD = "broad"


class RunStatus(StrEnum):
    """How far a run got. Only a finished run is ever judged."""

    RUNNING = "running"
    FINISHED = "finished"
    INTERRUPTED = "interrupted"


class Qrel(NamedTuple):
    """How relevant a document is to a query: 0 not, 1 or more relevant."""

    query_id: str
    doc_id: str
    grade: int


class Hit(NamedTuple):
    """One document a retriever returned."""

    doc_id: str
    score: float | None


@dataclass(frozen=True, slots=True)
class Query:
    """A question with everything needed to judge what comes back."""

    query_id: str
    text: str
    stratum: str
    cluster: str
    grades: Mapping[str, int] = field(default_factory=dict)
    """Document id to grade."""
    answers: tuple[str, ...] = ()
    """Reference answers, each of them right."""
    passages: tuple[Passage, ...] = ()
    follows: str = ""
    """The query of the hop before, in a chain: its answer takes the place of ``{answer}`` in the text."""

    @property
    def is_judged(self) -> bool:
        """Whether at least one document or passage is known to be relevant."""
        return any(grade > 0 for grade in self.grades.values()) or any(each.grade > 0 for each in self.passages)

    @property
    def qrels(self) -> tuple[Qrel, ...]:
        """The judgements as TREC writes them."""
        return tuple(Qrel(self.query_id, doc_id, grade) for doc_id, grade in self.grades.items())


@dataclass(frozen=True, slots=True)
class Pair:
    """A query with a document that satisfies it and a near-copy that violates it."""

    query_id: str
    satisfying_id: str
    violating_id: str
    mirror_id: str | None = None
    """The query that the violating document satisfies, where there is one."""


@dataclass(frozen=True, slots=True)
class Suite:
    """Versioned queries and judgements on one axis."""

    name: str
    version: str
    axis: Axis
    queries: tuple[Query, ...]
    pairs: tuple[Pair, ...] = ()
    controls: frozenset[str] = frozenset()
    """Strata that must not move when a model gets better at structure (paraphrase, entity)."""
    digest: str = ""
    """SHA-256 over queries, judgements and pairs: the ruler's identity."""
    corpus: str = field(default="", compare=False)
    """SHA-256 over the suite's own documents, where it brings them; kept with each run."""
    depth: int = field(default=0, compare=False)
    """Hits to ask for at least, where the hits are chunks and ten of them are little text; kept with each run."""

    @property
    def strata(self) -> tuple[str, ...]:
        """Names of the strata in the order in which they first appear."""
        return tuple(dict.fromkeys(query.stratum for query in self.queries))


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one probe brought: exactly one of a ranking, a failure, or neither (skipped: no judgement)."""

    query_id: str
    ranking: Ranking | None = None
    failure: Failure | None = None
    duration_s: float = 0.0
    """From the request leaving to the response complete; waiting in recallwatch's own queue not counted."""
    reply: Reply | None = None
    """What asking for an answer brought, where the target answers and the query has a reference answer."""


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Measurements:
    """Per-query values of one measure, for the queries that were scored."""

    measure: str
    query_ids: tuple[str, ...]
    values: Floats

    @property
    def mean(self) -> float:
        """Mean over the scored queries."""
        return float(self.values.mean()) if len(self.values) else float("nan")


@dataclass(frozen=True, slots=True)
class Measured:
    """A run with its measurements and with the suite it was measured by."""

    run: Run
    suite: Suite
    counts: Counts
    measurements: Mapping[str, Measurements]
    judged_share: float = float("nan")
    """Share of returned documents that carry a judgement."""
    labels: Mapping[LabelState, int] = field(default_factory=dict)
    """States of the judgements that the hits reveal, where passages are judged or sources are told."""
    replies: Replies | None = None
    """Where each answer went; None where no answer was asked for."""

    @property
    def label_validity(self) -> float:
        """Share of the revealed judgements that still say what they said, in [0, 1]; 1 where none is revealed."""
        revealed = sum(self.labels.values())
        usable = sum(count for state, count in self.labels.items() if state.is_usable)
        return usable / revealed if revealed else 1.0
