"""What a suite could show: the formulas against numbers known otherwise, and where the variance is taken from."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks.difficulty_file import write_difficulties
from monitor.adapters.stores.memory.store import MemoryStore
from monitor.cli.result import Result
from monitor.cli.suite_power import estimate_power
from monitor.cli.variance_sources import VarianceOptions
from monitor.errors import ConfigError, StoreError, SuiteError
from monitor.evaluation.scoring import measure
from monitor.model.measurements import Measured
from monitor.model.policies import Policy
from monitor.model.runs import RunStatus
from monitor.model.suites import Axis
from monitor.service import wiring
from monitor.statistics.pairing import OVERALL, Paired, pair
from monitor.statistics.power import (
    CORRELATION,
    Spread,
    design_effect,
    detectable_drop,
    intra_cluster_correlation,
    spread_of_differences,
    spread_of_values,
)
from monitor.statistics.significance import standard_error
from monitor.suites.difficulty import Difficulties, Difficulty, read_difficulties
from monitor.suites.reading import read_suite
from tests.builders import a_run

PROBES = Path("probes")


def clustered(shared: float, *, groups: int = 2_000, size: int = 5, seed: int = 1) -> Paired:
    """Values of two runs; a cluster has the share ``shared`` of the variance of their differences in common."""
    rng = np.random.default_rng(seed)
    own, common = rng.normal(size=groups * size), rng.normal(size=groups).repeat(size)
    differences = 0.3 * (np.sqrt(1 - shared) * own + np.sqrt(shared) * common)
    baseline = np.full(groups * size, 0.6)
    cluster = np.arange(groups).repeat(size)
    names = tuple(map(str, range(groups)))
    return Paired(
        suite="s",
        axis=Axis.BROAD,
        stratum=OVERALL,
        measure="ndcg@10",
        gating=True,
        baseline=baseline,
        candidate=baseline + differences,
        cluster=cluster,
        cluster_names=names,
    )


@pytest.mark.parametrize("shared", [0.0, 0.12, 0.33])
def test_the_correlation_within_clusters_is_recovered(shared):
    """The estimator finds what the values were made with."""
    paired = clustered(shared)
    assert intra_cluster_correlation(paired.differences, paired.cluster) == pytest.approx(shared, abs=0.02)


def test_no_correlation_where_it_cannot_be_told():
    """One cluster, clusters of one query, and values that never vary have none."""
    values = np.array([0.0, 1.0, 0.5])
    assert intra_cluster_correlation(values, np.zeros(3, np.intp)) == 0.0
    assert intra_cluster_correlation(values, np.arange(3)) == 0.0
    assert intra_cluster_correlation(np.ones(4), np.array([0, 0, 1, 1])) == 0.0


def test_a_negative_correlation_makes_no_suite_larger():
    """Queries of a cluster that differ more than strangers are not counted as more than they are."""
    assert design_effect(np.array([2, 2, 2]), -0.5) == 1.0


def test_the_design_effect_weighs_large_clusters_more():
    """Most queries of unequal clusters are in the large one."""
    assert design_effect(np.array([1, 9]), 0.5) == pytest.approx(1 + (8.2 - 1) * 0.5)


@pytest.mark.parametrize("shared", [0.0, 0.12, 0.33])
def test_the_formula_agrees_with_the_clusters_standard_error(shared):
    """The design effect gives what the decision procedure computes from cluster sums."""
    paired = clustered(shared)
    direct = detectable_drop(standard_error(paired), alpha=0.05)
    assert spread_of_differences(paired).detectable(alpha=0.05) == pytest.approx(direct, rel=0.03)


def test_the_published_numbers_come_out():
    """recall@10 with σ_d / μ of 0.352 has the detectable effects of the decision procedure."""
    told = {50: 12.4, 100: 8.8, 200: 6.2, 500: 3.9, 1_000: 2.8, 2_000: 2.0}
    for n_queries, percent in told.items():
        spread = Spread(1.0, 0.352, 0.0, np.ones(n_queries, np.intp))
        assert 100 * spread.detectable(alpha=0.05) == pytest.approx(percent, abs=0.06)


def test_as_many_queries_as_needed_find_the_drop():
    """With the number of queries that is told, the drop is the detectable one; with one less, it is not."""
    spread = Spread(0.7, 0.3, 0.2, np.full(40, 4))
    needed = spread.queries_needed(0.05, alpha=0.05)
    assert needed is not None

    def at(n_queries: int) -> float:
        return detectable_drop(0.3 * np.sqrt(spread.design_effect / n_queries), alpha=0.05)

    assert at(needed) <= 0.05 * 0.7 < at(needed - 1)


def test_a_relative_drop_of_next_to_nothing_is_not_spoken_of():
    """Below a mean of 0.05, and where none is known, no share of it is told."""
    sizes = np.ones(10, np.intp)
    assert Spread(0.04, 0.3, 0.0, sizes).queries_needed(0.05, alpha=0.05) is None
    assert Spread(float("nan"), 0.3, 0.0, sizes).queries_needed(0.05, alpha=0.05) is None


def test_where_nothing_varied_nothing_is_promised():
    """A saturated suite does not see every drop: what a change would do to it is unknown."""
    saturated = Spread(1.0, 0.0, 0.0, np.ones(10, np.intp))
    assert np.isnan(saturated.detectable(alpha=0.05))
    assert saturated.queries_needed(0.05, alpha=0.05) is None


def test_one_run_alone_is_read_with_a_correlation():
    """σ_d = σ·√(2(1 − ρ)): nothing in common doubles the variance, everything in common leaves none."""
    paired = clustered(0.0)
    paired = replace(paired, baseline=paired.candidate)
    deviation = paired.baseline.std(ddof=1)
    assert spread_of_values(paired, correlation=0.0).deviation == pytest.approx(np.sqrt(2) * deviation)
    assert spread_of_values(paired, correlation=1.0).deviation == 0.0
    assert spread_of_values(paired).deviation == pytest.approx(np.sqrt(2 * (1 - CORRELATION)) * deviation)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A suite of forty queries in twenty clusters and two strata."""
    suite = tmp_path / "suite"
    (suite / "qrels").mkdir(parents=True)
    (suite / "suite.yaml").write_text('version: "1"\n', encoding="utf-8")
    rows = [
        {"_id": f"q{n}", "text": f"what is {n}?", "metadata": {"stratum": f"s{n % 2}", "cluster": f"c{n // 4}"}}
        for n in range(40)
    ]
    (suite / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (suite / "qrels" / "test.tsv").write_text("".join(f"q{n}\td{n}\t1\n" for n in range(40)), encoding="utf-8")
    return suite


def detectable(answer: Result) -> dict[tuple[str, str], dict[str, object]]:
    """Stratum and measure to what is told of it, of the first suite."""
    return {(each["stratum"], each["measure"]): each for each in answer.data["suites"][0]["detectable"]}


def ask(folder: Path, **wanted: object) -> Result:
    """What is told without a configuration."""
    return asyncio.run(estimate_power(Path("recallwatch.yaml"), [str(folder)], VarianceOptions(**wanted)))


def test_with_nothing_known_the_assumptions_are_stated(folder, tmp_path, monkeypatch):
    """Without store and without measured difficulty there is still an answer, and it says what it rests on."""
    monkeypatch.chdir(tmp_path)
    answer = ask(folder)
    assert "assumptions" in answer.data["suites"][0]["variance_from"]
    found = detectable(answer)
    measures = set(Policy().gating[Axis.BROAD]) - {"answer_f1"}  # the suite has no reference answer
    assert set(found) == {(stratum, measure) for stratum in (OVERALL, "s0", "s1") for measure in measures}
    row = found[OVERALL, "ndcg@10"]
    assert (row["n_queries"], row["n_clusters"], row["baseline_mean"], row["mde_relative"]) == (40, 20, None, None)
    json.dumps(answer.data, allow_nan=False)


def test_a_stated_deviation_scales_what_is_assumed(folder, tmp_path, monkeypatch):
    """Half the deviation, half the detectable drop."""
    monkeypatch.chdir(tmp_path)
    whole, half = (detectable(ask(folder, baseline_sd=sd))[OVERALL, "ndcg@10"]["mde"] for sd in (0.4, 0.2))
    assert half == pytest.approx(whole / 2)


DIFFICULTIES = Difficulties(
    "all-MiniLM-L6-v2", "an adapter", "d1", {OVERALL: {"ndcg@10": Difficulty(0.7, 0.36, 0.2, -0.05)}}
)


def test_what_was_measured_is_kept_in_the_head(folder):
    """It comes back as it was, and the rest of the head stays as it is written."""
    head = folder / "suite.yaml"
    head.write_text('# mine\nversion: "1"\nlicence: x\n', encoding="utf-8")
    write_difficulties(folder, DIFFICULTIES)
    write_difficulties(folder, DIFFICULTIES)
    assert read_difficulties(folder) == DIFFICULTIES
    assert head.read_text(encoding="utf-8").startswith('# mine\nversion: "1"\nlicence: x\nmeasured:\n')
    assert head.read_text(encoding="utf-8").count("measured:") == 1


def test_what_was_measured_is_what_is_told(folder, tmp_path, monkeypatch):
    """Numbers come from the head, with what they are from, how old they are, and what is missing."""
    monkeypatch.chdir(tmp_path)
    write_difficulties(folder, DIFFICULTIES)
    answer = ask(folder)
    told = answer.data["suites"][0]["variance_from"]
    assert "all-MiniLM-L6-v2, an adapter" in told
    assert "on another version" in told
    assert "ndcg@10 of s0" in told
    found = detectable(answer)
    assert set(found) == {(OVERALL, "ndcg@10")}
    assert found[OVERALL, "ndcg@10"]["mde"] == pytest.approx(detectable_drop(0.2 / np.sqrt(40), alpha=0.05))
    assert found[OVERALL, "ndcg@10"]["queries_needed"]["0.05"] == 202


@pytest.mark.slow
def test_the_bundled_model_measures_a_suite_on_the_spot(folder, tmp_path, monkeypatch):
    """With --local nothing but the folder is needed, and the baseline is what was really measured."""
    monkeypatch.chdir(tmp_path)
    rows = [{"_id": f"d{n}", "text": f"this is {n}"} for n in range(40)]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    qrels = folder / "qrels" / "test.tsv"
    qrels.write_text(qrels.read_text(encoding="utf-8").replace("q7\td7", "q7\td31"), encoding="utf-8")
    answer = ask(folder, local=True)
    row = detectable(answer)[OVERALL, "ndcg@10"]
    assert 0.5 < row["baseline_mean"] < 1.0
    assert row["deviation"] > 0


@pytest.mark.parametrize("written", ["measured: 3", "measured: {strata: {s: {ndcg@10: {mean: high}}}}"])
def test_a_broken_measurement_is_told_by_its_key(folder, written):
    """A head that somebody edited by hand is refused with the key."""
    (folder / "suite.yaml").write_text(f"{written}\n", encoding="utf-8")
    with pytest.raises(SuiteError, match=r"suite\.yaml: measured"):
        read_difficulties(folder)


class OneStore:
    """Opens the same store for every command."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store

    def __call__(self, _config: object) -> "OneStore":
        """The store of any configuration."""
        return self

    async def __aenter__(self) -> MemoryStore:
        return self.store

    async def __aexit__(self, *_: object) -> None: ...


def ranked(folder: Path, run_id: str, wrong: set[int]) -> Measured:
    """A run in which some queries found nothing; a later letter is a later run."""
    suite = read_suite(folder)
    brought: Mapping[str, list[str]] = {f"q{n}": ["x"] if n in wrong else [f"d{n}"] for n in range(40)}
    run = a_run(suite, brought, run_id=run_id)
    return measure(replace(run, started_at=run.started_at + timedelta(hours=ord(run_id))), suite)


def kept(store: MemoryStore, *runs: Measured) -> None:
    """Keep finished runs."""

    async def keep() -> None:
        await store.open()
        for each in runs:
            await store.save_suite(each.suite)
            await store.start_run(replace(each.run, outcomes=(), status=RunStatus.RUNNING))
            await store.save_outcomes(each.run.run_id, each.run.outcomes)
            await store.finish_run(each)

    asyncio.run(keep())


def test_two_runs_that_differ_give_the_paired_deviation(folder, tmp_path, monkeypatch):
    """The variance is that of the differences; a run that equals the last one tells nothing."""
    monkeypatch.chdir(tmp_path)
    store = MemoryStore()
    before, after, again = ranked(folder, "a", {1}), ranked(folder, "b", {2, 5}), ranked(folder, "c", {2, 5})
    kept(store, before, after, again)
    monkeypatch.setattr(wiring, "open_store", OneStore(store))
    answer = ask(folder, target="production")
    assert "the differences between runs a and" in answer.data["suites"][0]["variance_from"]
    expected = next(p for p in pair(before, after, Policy()) if (p.stratum, p.measure) == (OVERALL, "ndcg@10"))
    assert detectable(answer)[OVERALL, "ndcg@10"]["deviation"] == pytest.approx(expected.differences.std(ddof=1))


def test_one_run_gives_a_deviation_by_correlation(folder, tmp_path, monkeypatch):
    """A target that never changed has one run to tell from, however often it was replayed."""
    monkeypatch.chdir(tmp_path)
    store = MemoryStore()
    kept(store, ranked(folder, "a", {1, 2, 3}), ranked(folder, "b", {1, 2, 3}))
    monkeypatch.setattr(wiring, "open_store", OneStore(store))
    for wanted in ({"target": "production"}, {"run_id": "a"}):
        answer = ask(folder, **wanted)
        assert "assumed correlation of 0.57 between runs" in answer.data["suites"][0]["variance_from"]
        assert detectable(answer)[OVERALL, "ndcg@10"]["mde"] > 0


def test_a_target_without_a_run_of_this_version_is_refused(folder, tmp_path, monkeypatch):
    """Variance of another suite would be a guess that looks like knowledge."""
    monkeypatch.chdir(tmp_path)
    store = MemoryStore()
    kept(store, ranked(folder, "a", {1}))
    monkeypatch.setattr(wiring, "open_store", OneStore(store))
    with (folder / "qrels" / "test.tsv").open("a", encoding="utf-8") as file:
        file.write("q1\td99\t1\n")
    with pytest.raises(StoreError, match="no finished run of this version"):
        ask(folder, target="production")


def test_only_one_source_can_be_asked_for(folder):
    """Two would leave open which one was used."""
    with pytest.raises(ConfigError, match="one of"):
        ask(folder, target="production", local=True)


def test_people_see_whole_names_of_strata(tmp_path, monkeypatch):
    """Names are not cut in the width that a pipe has."""
    folder = (PROBES / "broad").resolve()
    monkeypatch.chdir(tmp_path)
    console = Console(width=160)
    with console.capture() as shown:
        for part in ask(folder).output:
            console.print(part)
    assert "public-administration" in shown.get()
