"""What `compare` says, computed again from what PostgreSQL holds, by NumPy alone: nothing of monitor is imported."""

import csv
import io
import json
import math
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psycopg
import pytest

from tests.conftest import command, started

pytestmark = pytest.mark.slow

MEASURES = ("ndcg@10", "mrr@10", "recall@5", "recall@10")
FLIPS, MARGIN = 9_999, 0.05
NODES, WEIGHTS = np.polynomial.legendre.leggauss(200)
Z_95, Z_80 = 1.6448536269514722, 0.8416212335729143


@dataclass(frozen=True, slots=True)
class Sums:
    """One measure on one stratum, summed by cluster."""

    before: np.ndarray
    after: np.ndarray
    sizes: np.ndarray

    @property
    def differences(self) -> np.ndarray:
        """Candidate less baseline, by cluster."""
        return self.after - self.before

    @property
    def mean(self) -> float:
        """Mean difference over the queries."""
        return float(self.differences.sum() / self.sizes.sum())

    @property
    def standard_error(self) -> float:
        """Of the mean difference, the clusters being the units."""
        count = len(self.sizes)
        residuals = self.differences - self.sizes * self.mean
        return float(np.sqrt(count / (count - 1) * (residuals**2).sum()) / self.sizes.sum())


Compared = tuple[list[dict[str, Any]], Mapping[tuple[str, str], Sums]]
"""The evidence as told, and the cluster sums of the same measurements by stratum and measure."""


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory, xquad: Path, postgres_server: str) -> Compared:
    """A comparison of a run with one in which three documents of ten are unfindable, and its tables as CSV."""
    folder = tmp_path_factory.mktemp("recomputation")
    _write_suite(folder / "paragraphs", xquad)
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE recomputation TEMPLATE template_recallwatch")
    url = postgres_server.replace("/postgres?", "/recomputation?")
    with started("tests/word_retriever.py", str(xquad)) as said:
        (folder / "recallwatch.yaml").write_text(
            f"""
storage: {{url: "{url}"}}
targets: {{docs: {{retriever: {{kind: http, url: "{said["url"]}/search", concurrency: 8}}}}}}
suites: {{paragraphs: {{path: "{folder / "paragraphs"}"}}}}
schedules: {{hourly: {{target: docs, suites: [paragraphs], every: 1h}}}}
"""
        )
        runs = []
        for share in (0.0, 0.3):
            httpx.post(f"{said['url']}/break", json={"share": share})
            done = command("run", "--target", "docs", "--suite", "paragraphs", "--json", cwd=folder, check=None)
            runs.append(json.loads(done.stdout)["runs"][0]["run_id"])
    answer = json.loads(_compare(runs, folder).stdout)
    return answer["evidence"], _sums(_exported(url, runs))


def _compare(runs: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return command("compare", *runs, "--json", cwd=folder, check=1)


def _write_suite(folder: Path, xquad: Path) -> None:
    """The questions on the first 88 paragraphs of xquad-en, in four strata: 24 clusters each, but 16 in the last."""
    qrels = dict(line.split("\t")[:2] for line in (xquad / "qrels" / "test.tsv").read_text().splitlines()[1:])
    paragraphs = list(dict.fromkeys(qrels.values()))[:88]
    place = {paragraph: number for number, paragraph in enumerate(paragraphs)}
    (folder / "qrels").mkdir(parents=True)
    kept = []
    for line in (xquad / "queries.jsonl").read_text().splitlines():
        query = json.loads(line)
        paragraph = qrels[query["_id"]]
        if paragraph in place:
            number = place[paragraph]
            stratum = "last" if number >= 72 else f"stratum {number % 3}"
            query["metadata"] = {"stratum": stratum, "cluster": paragraph}
            kept.append(query)
    (folder / "queries.jsonl").write_text("".join(json.dumps(query) + "\n" for query in kept))
    rows = "".join(f"{query['_id']}\t{qrels[query['_id']]}\t1\n" for query in kept)
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + rows)


def _exported(url: str, runs: list[str]) -> list[dict[str, str]]:
    """Measurements of both runs with each query's stratum and cluster, by SQL COPY."""
    query = f"""
        COPY (
            SELECT m.run_id, m.measure, m.query_id, m.value, q.stratum, q.cluster, r.run_id = '{runs[0]}' AS is_baseline
            FROM measurement m JOIN run r USING (run_id)
            JOIN suite_query q ON q.digest = r.suite_digest AND q.query_id = m.query_id
            WHERE m.run_id IN ('{runs[0]}', '{runs[1]}')
            ORDER BY q.ordinal
        ) TO STDOUT WITH (FORMAT csv, HEADER)
    """  # noqa: S608 - ids that this test made
    with psycopg.connect(url) as connection, connection.cursor() as cursor, cursor.copy(query.encode()) as copy:
        text = b"".join(map(bytes, copy)).decode()
    return list(csv.DictReader(io.StringIO(text)))


def _sums(rows: list[dict[str, str]]) -> Mapping[tuple[str, str], Sums]:
    """Cluster sums by stratum and measure, the whole suite as ``overall``."""
    found = {}
    for measure in MEASURES:
        for stratum in ("overall", *dict.fromkeys(row["stratum"] for row in rows)):
            mine = [row for row in rows if row["measure"] == measure and stratum in ("overall", row["stratum"])]
            before = [row for row in mine if row["is_baseline"] == "t"]
            after = {row["query_id"]: float(row["value"]) for row in mine if row["is_baseline"] == "f"}
            clusters = list(dict.fromkeys(row["cluster"] for row in before))
            table = np.zeros((3, len(clusters)))
            for row in before:
                column = clusters.index(row["cluster"])
                table[:, column] += (float(row["value"]), after[row["query_id"]], 1.0)
            found[stratum, measure] = Sums(*table)
    return found


def _gating(compared: Compared) -> Iterator[tuple[dict[str, Any], Sums]]:
    evidence, sums = compared
    told = {(each["stratum"], each["measure"]): each for each in evidence if each["gating"]}
    assert told.keys() == sums.keys()
    for key, each in told.items():
        yield each, sums[key]


def test_means_and_differences_are_those_of_the_table(compared: Compared) -> None:
    """Means, differences and counts follow from the measurement table to 1e-12."""
    for told, sums in _gating(compared):
        assert told["n_queries"] == sums.sizes.sum()
        assert told["n_clusters"] == len(sums.sizes)
        assert told["baseline_mean"] == pytest.approx(sums.before.sum() / sums.sizes.sum(), abs=1e-12)
        assert told["candidate_mean"] == pytest.approx(sums.after.sum() / sums.sizes.sum(), abs=1e-12)
        assert told["difference"] == pytest.approx(sums.mean, abs=1e-12)


def test_intervals_are_those_of_the_table(compared: Compared) -> None:
    """The t interval of cluster sums, to 1e-12, within what a mean between 0 and 1 can lose or gain."""
    for told, sums in _gating(compared):
        lower, upper = _t_interval(sums)
        before = sums.before.sum() / sums.sizes.sum()
        expected = (max(lower, -before), min(upper, 1 - before))
        assert (told["lower"], told["upper"]) == pytest.approx(expected, abs=1e-12)


def test_detectable_effects_are_those_of_the_table(compared: Compared) -> None:
    """(z₀.₉₅ + z₀.₈) standard errors of cluster sums, to 1e-12."""
    for told, sums in _gating(compared):
        assert told["mde"] == pytest.approx((Z_95 + Z_80) * sums.standard_error, abs=1e-12)


def test_non_inferiority_is_that_of_the_table(compared: Compared) -> None:
    """One-sided t of candidate − 0.95 · baseline with a pseudo-cluster that lost everything, to 1e-12."""
    for told, sums in _gating(compared):
        lost = math.sqrt(float((sums.sizes**2).mean()))
        values = np.append(sums.after - (1 - MARGIN) * sums.before, -(1 - MARGIN) * lost)
        sizes = np.append(sums.sizes, lost)
        count, mean = len(values), values.sum() / sizes.sum()
        error = np.sqrt(count / (count - 1) * ((values - sizes * mean) ** 2).sum()) / sizes.sum()
        assert told["p_not_safe"] == pytest.approx(1 - _t_below(float(mean / error), count - 1), abs=1e-12)


def test_small_p_values_are_exact(compared: Compared) -> None:
    """Where ten flips of 9,999 or fewer reached what was observed, p is that of all sign patterns, counted."""
    counted = 0
    for told, sums in _gating(compared):
        if told["measure"].startswith("recall") and told["p_worse"] <= 10 / (FLIPS + 1):
            counted += 1
            assert told["p_worse"] == pytest.approx(_counted_p(-sums.differences), rel=1e-9)
    assert counted


def test_sampled_p_values_are_within_monte_carlo_error(compared: Compared) -> None:
    """Raw and adjusted p-values agree with flips drawn here, to five standard errors of both draws."""
    told, sums = zip(*_gating(compared), strict=True)
    raw, adjusted = _by_flips(sums, np.random.default_rng(7))
    sampled = 0
    for each, mine, mine_adjusted in zip(told, raw, adjusted, strict=True):
        assert each["p_worse"] == pytest.approx(mine, abs=_error(mine))
        assert each["p_worse_adjusted"] == pytest.approx(mine_adjusted, abs=_error(mine_adjusted))
        sampled += 0.01 < mine < 0.99
    assert sampled, "no p-value is large enough to compare samples"


def _by_flips(family: tuple[Sums, ...], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Raw and step-down max-T p-values. The strata share no cluster, the whole has them all: one sign for each."""
    width = len(family) // len(MEASURES)
    blocks = family[1:width]
    starts = np.cumsum([0, *(len(each.sizes) for each in blocks)])
    signs = rng.choice((-1.0, 1.0), (FLIPS, starts[-1]))
    observed, null = [], []
    for first in range(0, len(family), width):
        strata = family[first + 1 : first + width]
        columns = [(-each.differences, slice(a, b)) for each, a, b in zip(strata, starts[:-1], starts[1:], strict=True)]
        columns.insert(0, (np.concatenate([values for values, _ in columns]), slice(None)))
        for values, where in columns:
            norm = np.sqrt((values**2).sum()) or 1.0
            observed.append(values.sum() / norm)
            null.append(signs[:, where] @ values / norm)
    return _step_down(np.array(observed), np.array(null).T)


def _step_down(observed: np.ndarray, null: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    raw = ((null >= observed - 1e-9).sum(axis=0) + 1) / (len(null) + 1)
    adjusted, reached = np.empty_like(raw), 0.0
    left = list(np.argsort(-observed))
    while left:
        reached = max(reached, ((null[:, left].max(axis=1) >= observed[left[0]] - 1e-9).sum() + 1) / (len(null) + 1))
        adjusted[left.pop(0)] = reached
    return raw, adjusted


def _error(p: float) -> float:
    return 5 * math.sqrt(2 * p * (1 - p) / FLIPS) + 12 / FLIPS


def _counted_p(sums: np.ndarray) -> float:
    """P(Σ ±|S| ≥ ΣS) over all sign patterns, in whole numbers; the sums are counts of queries."""
    whole = [round(abs(float(each))) for each in sums if each]
    assert np.abs(np.abs(sums[sums != 0]) - whole).max() < 1e-9
    ways = {0: 1}
    for size in whole:
        following: dict[int, int] = {}
        for total, count in ways.items():
            for step in (size, -size):
                following[total + step] = following.get(total + step, 0) + count
        ways = following
    return sum(count for total, count in ways.items() if total >= round(float(sums.sum()))) / 2 ** len(whole)


def _t_interval(sums: Sums) -> tuple[float, float]:
    degrees = len(sums.sizes) - 1
    low, high = 0.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _t_below(middle, degrees) < 0.975 else (low, middle)
    return sums.mean - low * sums.standard_error, sums.mean + low * sums.standard_error


def _t_below(x: float, degrees: int) -> float:
    """P(T ≤ x) of Student's t, by Gauss-Legendre quadrature of its density from 0 to x."""
    at = x / 2 * (NODES + 1)
    scale = math.exp(math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2)) / math.sqrt(degrees * math.pi)
    return 0.5 + x / 2 * float(WEIGHTS @ (scale * (1 + at**2 / degrees) ** (-(degrees + 1) / 2)))
