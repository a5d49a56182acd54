"""Simulated services over many hours: churn, approximate search, replicas, drift, seasons and sampled answers.

Each query has three relevant documents. What a service returns for a query in an hour is one number, 4·version + the
number of relevant documents found: another version is another ranking with the same documents found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import signal, special

from benchmarks.study.generator import DOCUMENTS, EASE
from monitor.model.measurements import Floats
from monitor.model.runs import Ranking
from monitor.model.suites import Axis, Query, Suite

Codes = NDArray[np.int32]

CLUSTER, SHARED = 5, 0.14
"""Queries in a cluster, and the share of the variance of what two deployments differ in that a cluster shares."""
CHURN = 0.02
FLICKER = 0.25
"""Chance that an approximate search misses a document of a fragile query."""
DEPTH = 10
RIGHT, WRONG = "right", "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What a service returns in every hour, before the noise of a single request."""

    base: Codes
    """Codes, shape (hours, n_queries)."""
    fragile: NDArray[np.bool_]
    """Queries whose documents an approximate search may miss, shape (n_queries,)."""
    chance: Floats
    """Chance that it does, shape (hours,)."""
    right: Floats | None = None
    """Chance of a right answer to each query; None without an answerer."""
    wrong: Floats | None = None
    """Share of the right answers that is lost, shape (hours,)."""

    @property
    def n_queries(self) -> int:
        """Queries of the suite."""
        return len(self.fragile)

    @property
    def repeats(self) -> bool:
        """Whether every request of an hour returns the same."""
        return self.right is None and not (self.fragile.any() and self.chance.any())

    def request(self, hours: NDArray[np.intp], rng: np.random.Generator) -> Codes:
        """The codes of one request of every query in each of these hours."""
        codes = self.base[hours]
        columns = np.flatnonzero(self.fragile)
        if self.repeats or not len(columns):
            return codes
        hit = rng.random((len(hours), len(columns))) < self.chance[hours, None]
        found = codes[:, columns] % 4
        missed = 4 * rng.integers(1_000, 1_004, hit.shape) + np.maximum(found - rng.integers(0, 2, hit.shape), 0)
        codes[:, columns] = np.where(hit, missed, codes[:, columns])
        return codes

    def answers(self, hours: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.bool_] | None:
        """Whether one answer to every query in each of these hours is right; None without an answerer."""
        if self.right is None:
            return None
        kept = 1.0 if self.wrong is None else 1.0 - self.wrong[hours, None]
        return np.asarray(rng.random((len(hours), self.n_queries)) < self.right * kept)

    def with_wrong_answers(self, lost: Floats) -> Service:
        """The service when in each hour this share of its right answers turns wrong."""
        return replace(self, wrong=lost)

    @property
    def level(self) -> float:
        """Mean recall in the first hour, or the mean chance of a right answer where it answers."""
        return float((self.base[0] % 4).mean() / DOCUMENTS if self.right is None else self.right.mean())


def suite_of(n_queries: int, *, answered: bool = False) -> Suite:
    """A suite of one stratum, with clusters of five queries."""
    grades = {f"{RIGHT}-{number}": 1 for number in range(DOCUMENTS)}
    queries = tuple(
        Query(
            query_id=f"q{number:04}",
            text=str(number),
            stratum="all",
            cluster=f"c{number // CLUSTER:04}",
            grades=grades,
            answers=(RIGHT,) if answered else (),
        )
        for number in range(n_queries)
    )
    return Suite(name="suite", version="1", axis=Axis.BROAD, queries=queries, digest=f"suite of {n_queries}")


def ranking(code: int) -> Ranking:
    """The ranking that a code means: the relevant documents that were found, then others."""
    version, found = divmod(code, 4)
    others = (f"other-{version}-{place}" for place in range(DEPTH - found))
    return Ranking(doc_ids=(*(f"{RIGHT}-{number}" for number in range(found)), *others))


class Deployment:
    """One set of queries and documents, and what a model finds of them."""

    def __init__(self, n_queries: int, rng: np.random.Generator) -> None:
        self.n_queries, self.rng = n_queries, rng
        self.difficulty = rng.normal(size=(n_queries, 1)) + rng.normal(size=(n_queries, DOCUMENTS))
        self.common = rng.normal(size=(-(-n_queries // CLUSTER), 1))

    def codes(self, queries: NDArray[np.intp], versions: NDArray[np.intp]) -> Codes:
        """New codes for these queries: documents have come and gone."""
        own = np.sqrt(1 - SHARED) * self.rng.normal(size=(len(queries), DOCUMENTS))
        own += np.sqrt(SHARED) * self.common[queries // CLUSTER]
        found = (self.difficulty[queries] + own + EASE > 0).sum(axis=1)
        return np.asarray(4 * versions + found, np.int32)

    def first(self) -> Codes:
        """Codes of every query, shape (1, n_queries)."""
        return self.codes(np.arange(self.n_queries), np.zeros(self.n_queries, np.intp))[None]

    def churned(self, hours: int, share: float = CHURN) -> Codes:
        """Codes of every hour, while each query has the chance ``share`` an hour to get other documents."""
        changed = self.rng.random((hours, self.n_queries)) < share
        changed[0] = True
        hour, query = np.nonzero(changed)
        codes = np.zeros((hours, self.n_queries), np.int32)
        codes[changed] = self.codes(query, hour)
        latest = np.maximum.accumulate(np.where(changed, np.arange(hours)[:, None], 0), axis=0)
        return np.take_along_axis(codes, latest, axis=0)


Draw = Callable[[int, int, np.random.Generator], Service]


def _service(base: Codes, hours: int, **fields: object) -> Service:
    quiet = Service(base=base, fragile=np.zeros(base.shape[1], bool), chance=np.zeros(hours))
    return replace(quiet, **fields)  # type: ignore[arg-type]


def churning(hours: int, n_queries: int, rng: np.random.Generator) -> Service:
    """Deterministic; 2 % of the queries get other documents every hour."""
    return _service(Deployment(n_queries, rng).churned(hours), hours)


def approximate(share: float) -> Draw:
    """An approximate search that changes this share of the rankings in every request."""

    def draw(hours: int, n_queries: int, rng: np.random.Generator) -> Service:
        return _noisy(hours, n_queries, rng, share, np.zeros(hours))

    return draw


def replicas(hours: int, n_queries: int, rng: np.random.Generator) -> Service:
    """Two replicas that differ in 30 % of the queries; the balancer changes between them every six hours on average."""
    deployment = Deployment(n_queries, rng)
    first = deployment.first()[0]
    other = deployment.codes(np.arange(n_queries), np.ones(n_queries, np.intp))
    second = np.where(rng.random(n_queries) < 0.3, other, first)
    turn = np.cumsum(rng.random(hours) < 1 / 6) % 2 == 1
    return _service(np.where(turn[:, None], second, first).astype(np.int32), hours)


def drifting(hours: int, n_queries: int, rng: np.random.Generator) -> Service:
    """Approximate search whose noise drifts with the load: log-odds with standard deviation 0.5, correlation 0.9."""
    steps = rng.normal(0.0, 0.5 * np.sqrt(1 - 0.9**2), hours + 200)
    return _noisy(hours, n_queries, rng, 0.05, signal.lfilter([1.0], [1.0, -0.9], steps)[200:])


def seasonal(hours: int, n_queries: int, rng: np.random.Generator) -> Service:
    """Approximate search whose noise follows the time of day: log-odds ± 0.8."""
    return _noisy(hours, n_queries, rng, 0.05, 0.8 * np.sin(2 * np.pi * np.arange(hours) / 24))


def answering(hours: int, n_queries: int, rng: np.random.Generator) -> Service:
    """Deterministic rankings; each query has a chance of its own to be answered rightly."""
    right = np.clip(special.expit(rng.normal(1.8, 1.6, n_queries)), 0.01, 0.99)
    return _service(np.repeat(Deployment(n_queries, rng).first(), hours, axis=0), hours, right=right)


def _noisy(hours: int, n_queries: int, rng: np.random.Generator, share: float, shift: Floats) -> Service:
    base = np.repeat(Deployment(n_queries, rng).first(), hours, axis=0)
    fragile = rng.random(n_queries) < share / FLICKER
    return _service(base, hours, fragile=fragile, chance=special.expit(special.logit(FLICKER) + shift))


def damaged(service: Service, lost: Floats, rng: np.random.Generator) -> Service:
    """The service when in each hour this share of the documents that it found is lost.

    A document that is lost stays lost while the share does not fall.
    """
    found = service.base % 4
    order = rng.random((service.n_queries, DOCUMENTS))
    gone = sum(((order[:, place] < lost[:, None]) & (found > place)).astype(np.int32) for place in range(DOCUMENTS))
    return replace(service, base=np.asarray(service.base - gone, np.int32))


SCENARIOS: dict[str, Draw] = {
    "deterministic, churn 2 % an hour": churning,
    "ANN, 0.5 % of queries": approximate(0.005),
    "ANN, 2 % of queries": approximate(0.02),
    "ANN, 5 % of queries": approximate(0.05),
    "sticky replicas": replicas,
    "autocorrelated drift": drifting,
    "daily season": seasonal,
    "sampling answerer": answering,
}
