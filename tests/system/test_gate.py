"""The gate as a pipeline runs it: real commands, a live retriever, a real database."""

import json
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import httpx
import pytest

from tests.conftest import command, started

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def retriever(numbered: Path) -> Iterator[str]:
    """A live retriever over numbered documents."""
    with started("tests/word_retriever.py", str(numbered)) as service:
        yield service["url"]


@pytest.fixture(scope="module")
def promoted(numbered: Path, retriever: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose target has a promoted baseline."""
    folder = tmp_path_factory.mktemp("project")
    write_config(folder, retriever, numbered)
    command("run", "--target", "docs", "--suite", "numbered", cwd=folder)
    command("baseline", "promote", "--target", "docs", "--by", "ada", "--reason", "reviewed", "--force", cwd=folder)
    return folder


def write_config(folder: Path, retriever: str, suite: Path) -> None:
    """A configuration of one target and one suite."""
    (folder / "recallwatch.yaml").write_text(
        f"""
targets: {{docs: {{retriever: {{kind: http, url: "{retriever}/search", concurrency: 8}}}}}}
suites: {{numbered: {{path: "{suite}"}}}}
schedules: {{hourly: {{target: docs, suites: [numbered], every: 1h}}}}
"""
    )


@pytest.fixture
def worse(retriever: str) -> Iterator[str]:
    """The same service with three tenths of the documents missing, whole again afterwards."""
    httpx.post(f"{retriever}/break", json={"share": 0.3})
    yield f"{retriever}/search"
    httpx.post(f"{retriever}/break", json={"share": 0.0})


def test_an_unchanged_candidate_passes_and_writes_its_reports(promoted: Path, retriever: str) -> None:
    """Exit code 0, the cost before the first probe, and three reports that agree."""
    done = command(
        *("gate", "--target", "docs", "--candidate", f"{retriever}/search", "--require-baseline"),
        *("--junit", "gate.xml", "--markdown", "gate.md", "--report", "gate.json"),
        cwd=promoted,
    )
    assert "At most 1,200 probes; about " in done.stderr
    report = json.loads((promoted / "gate.json").read_text())
    assert (report["gate"], report["exit_code"], report["asked"]) == ("passed", 0, 1_200)
    junit = ElementTree.parse(promoted / "gate.xml").getroot()  # noqa: S314 - our own file
    assert not junit.findall(".//failure")
    assert len(junit.findall(".//testcase")) > 1
    assert (promoted / "gate.md").read_text().startswith("### ✅ recallwatch: passed")


def test_a_worse_candidate_fails_early_with_the_queries_that_show_it(promoted: Path, worse: str) -> None:
    """Exit code 1 after a part of the suite; the comment names the drop and the queries, and folds the tables."""
    arguments = (
        "gate",
        "--target",
        "docs",
        "--candidate",
        worse,
        "--junit",
        "bad.xml",
        "--markdown",
        "bad.md",
        "--json",
    )
    found = json.loads(command(*arguments, cwd=promoted, check=1).stdout)
    assert (found["gate"], found["exit_code"]) == ("regressed", 1)
    assert found["asked"] < 600
    comment = (promoted / "bad.md").read_text()
    assert comment.startswith("### ❌ recallwatch: regressed")
    assert "<details><summary>5 queries that lost most</summary>" in comment
    assert "Stopped early" in comment
    failures = ElementTree.parse(promoted / "bad.xml").getroot().findall(".//failure")  # noqa: S314 - our own file
    assert any("recall" in str(failure.get("message")) for failure in failures)
    recomputed = command("verdicts", "recompute", found["verdict"]["verdict_id"], cwd=promoted)
    assert "identical" in recomputed.stdout


def test_a_live_baseline_needs_no_promotion(promoted: Path, retriever: str, worse: str) -> None:
    """Two live targets are asked side by side; the same service on both sides passes."""
    command("gate", "--candidate", worse, "--baseline", worse, "--suite", "numbered", cwd=promoted)


def test_a_pipeline_without_a_baseline_is_not_green(numbered: Path, retriever: str, tmp_path: Path) -> None:
    """Without a baseline the gate is inconclusive (4); required, it is refused (2) before a probe; mapped, it is 0."""
    write_config(tmp_path, retriever, numbered)
    gate = ("gate", "--target", "docs")
    refused = command(*gate, "--require-baseline", cwd=tmp_path, check=2)
    assert "docs has no baseline for suite numbered, and one is required" in refused.stderr
    assert json.loads(command("runs", "list", "--json", cwd=tmp_path).stdout)["runs"] == []
    assert "There is no baseline" in command(*gate, cwd=tmp_path, check=4).stdout
    command(*gate, "--inconclusive-as", "passed", cwd=tmp_path)
    command(*gate, "--inconclusive-as", "regressed", cwd=tmp_path, check=1)
    command(*gate, "--fail-on", "regressed,trade_off", cwd=tmp_path)
    unknown = command(*gate, "--fail-on", "worse", cwd=tmp_path, check=2)
    assert 'unknown verdict "worse"; known verdicts: passed, regressed' in unknown.stderr


def test_a_target_that_is_away_could_not_be_measured(promoted: Path) -> None:
    """Nothing listens: exit code 3, and no verdict about quality."""
    away = command("gate", "--target", "docs", "--candidate", "http://127.0.0.1:9/search", cwd=promoted, check=3)
    assert "Coverage of numbered is 0.0%" in away.stdout


def test_the_strongest_candidate_that_passes_is_named(promoted: Path, retriever: str, worse: str) -> None:
    """Of two candidates one has gone; the other one is named, and its report is written."""
    config = (promoted / "recallwatch.yaml").read_text()
    assert "docs" in config
    arguments = ("gate", "--baseline", worse, "--suite", "numbered", worse, "http://127.0.0.1:9/search", "--json")
    found = json.loads(command(*arguments, cwd=promoted).stdout)
    assert found["strongest"] == worse
    assert [each["gate"] for each in found["candidates"]] == ["passed", "invalid"]


def test_a_dry_run_sends_nothing(promoted: Path, retriever: str, tmp_path: Path) -> None:
    """--dry-run prints the cost and stores no run."""
    before = len(json.loads(command("runs", "list", "--json", "--limit", "500", cwd=promoted).stdout)["runs"])
    done = command("gate", "--target", "docs", "--dry-run", "--json", cwd=promoted)
    assert json.loads(done.stdout)["cost"][0]["probes"] == 1_200
    after = len(json.loads(command("runs", "list", "--json", "--limit", "500", cwd=promoted).stdout)["runs"])
    assert before == after
