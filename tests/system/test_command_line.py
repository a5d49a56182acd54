"""The commands, run as a user runs them, against a live retriever and a real PostgreSQL."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import ir_measures
import pytest
from ir_measures import RR, R, ScoredDoc, Success, nDCG

from monitor.suites.reading import read_suite
from tests.conftest import command, started

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def retriever(xquad: Path) -> Iterator[str]:
    """A live retriever over the documents of xquad-en."""
    with started("tests/word_retriever.py", str(xquad)) as said:
        yield said["url"]


def test_a_run_measures_what_ir_measures_measures(retriever: str, xquad: Path, tmp_path: Path) -> None:
    """recall@10, MRR@10 and nDCG@10 of a run equal ir_measures on the rankings of the same live retriever."""
    arguments = ("--target", f"{retriever}/search", "--suite", str(xquad), "--json")
    found = json.loads(command("run", *arguments, cwd=tmp_path).stdout)
    expected = _by_ir_measures(retriever, xquad)
    measures = found["runs"][0]["measures"]
    assert measures["recall@10"] == pytest.approx(expected[R @ 10], abs=1e-12)
    assert measures["recall@5"] == pytest.approx(expected[R @ 5], abs=1e-12)
    assert measures["mrr@10"] == pytest.approx(expected[RR @ 10], abs=1e-12)
    assert measures["ndcg@10"] == pytest.approx(expected[nDCG @ 10], abs=1e-12)
    assert measures["success@5"] == pytest.approx(expected[Success @ 5], abs=1e-12)
    assert found["runs"][0]["counts"] == {"attempted": 1190, "scored": 1190, "failed": 0, "skipped": 0, "reasons": {}}
    assert found["verdict"]["verdict"] == "inconclusive"


def _by_ir_measures(url: str, folder: Path) -> dict[ir_measures.Measure, float]:
    suite = read_suite(folder)
    qrels = [ir_measures.Qrel(q, d, g) for query in suite.queries for q, d, g in query.qrels]
    run = []
    with httpx.Client() as client:
        for query in suite.queries:
            hits = client.post(f"{url}/search", json={"query": query.text, "k": 10}).json()["hits"]
            run += [ScoredDoc(query.query_id, hit["id"], -rank) for rank, hit in enumerate(hits)]
    return ir_measures.calc_aggregate([R @ 5, R @ 10, RR @ 10, nDCG @ 10, Success @ 5], qrels, run)


@pytest.fixture
def project(tmp_path: Path, retriever: str, xquad: Path) -> Iterator[Path]:
    """A folder with a configuration of the live retriever, mended again afterwards."""
    (tmp_path / "recallwatch.yaml").write_text(
        f"""
targets: {{docs: {{retriever: {{kind: http, url: "{retriever}/search", concurrency: 8}}}}}}
suites: {{xquad: {{path: "{xquad}"}}}}
schedules: {{hourly: {{target: docs, suites: [xquad], every: 1h}}}}
server: {{port: 0}}
"""
    )
    yield tmp_path
    httpx.post(f"{retriever}/break", json={"share": 0.0})


def test_a_drop_is_found_against_the_promoted_baseline(project: Path, retriever: str) -> None:
    """Init → run → promote → swap → run → compare: exit codes, verdicts and evidence agree."""
    run = ("run", "--target", "docs", "--suite", "xquad", "--json")
    first = json.loads(command(*run, cwd=project).stdout)
    promoted = ("baseline", "promote", "--target", "docs", "--by", "ada", "--reason", "known to be good")
    command(*promoted, cwd=project)
    same = json.loads(command(*run, cwd=project).stdout)
    assert same["verdict"]["verdict"] == "passed"
    assert same["swaps"] == []

    httpx.post(f"{retriever}/break", json={"share": 0.3})
    worse = json.loads(command(*run, cwd=project, check=1).stdout)
    assert worse["verdict"]["verdict"] == "regressed"
    assert worse["swaps"][0]["share_changed"] > 0.3
    ids = (first["runs"][0]["run_id"], worse["runs"][0]["run_id"])
    compared = json.loads(command("compare", *ids, "--json", cwd=project, check=1).stdout)
    assert compared["evidence"] == worse["verdict"]["evidence"]
    shown = command("compare", *ids, cwd=project, check=1).stdout
    assert "REGRESSED" in shown
    assert "roll back" in shown
    listed = json.loads(command("baseline", "show", "--json", cwd=project).stdout)
    assert listed["baselines"][0]["run_id"] == ids[0]
    assert listed["baselines"][0]["promoted_by"] == "ada"


def test_two_live_targets_are_compared_side_by_side(retriever: str, xquad: Path, tmp_path: Path) -> None:
    """Asked the same queries at the same time, a target equals itself, and a worse one is refused."""
    with started("tests/word_retriever.py", str(xquad)) as other:
        arguments = ("compare", "--baseline", f"{retriever}/search", "--candidate", f"{other['url']}/search")
        same = command(*arguments, "--suite", str(xquad), "--json", cwd=tmp_path)
        assert json.loads(same.stdout)["verdict"] == "passed"
        httpx.post(f"{other['url']}/break", json={"share": 0.3})
        worse = json.loads(command(*arguments, "--suite", str(xquad), "--json", cwd=tmp_path, check=1).stdout)
    assert worse["verdict"] == "regressed"
    assert [run["target"] for run in worse["runs"]] == [f"{retriever}/search", f"{other['url']}/search"]
    assert all(run["counts"]["scored"] == 1190 for run in worse["runs"])


def test_a_url_with_a_password_names_no_target(tmp_path: Path, xquad: Path) -> None:
    """What would be kept, shown and exported as a name is refused, and the password is not repeated."""
    arguments = ("run", "--target", "http://ada:hunter2@127.0.0.1:9/search", "--suite", str(xquad))
    done = command(*arguments, cwd=tmp_path, check=2)
    assert "a URL with credentials cannot name a target" in done.stderr
    assert "hunter2" not in done.stderr + done.stdout


def test_compare_says_what_it_needs(tmp_path: Path) -> None:
    """Half an order is refused in words that complete it."""
    done = command("compare", "one-run", cwd=tmp_path, check=2)
    assert "give either two run ids, or --baseline, --candidate and at least one --suite" in done.stderr


def test_a_deployment_is_declared_from_the_command_line(project: Path) -> None:
    """What is served from now on is kept with who said so, and names the next run."""
    declare = ("deploy", "model-7", "--target", "docs", "--by", "ada", "--detail", "commit=4f2c", "--json")
    declared = json.loads(command(*declare, cwd=project).stdout)["declared"]
    assert (declared["name"], declared["declared_by"], declared["detail"]) == ("model-7", "ada", {"commit": "4f2c"})
    found = json.loads(command("run", "--target", "docs", "--suite", "xquad", "--json", cwd=project).stdout)
    assert found["runs"][0]["deployment"] == "model-7"
    assert (
        'unknown target "nowhere"'
        in command("deploy", "x", "--target", "nowhere", "--by", "ada", cwd=project, check=2).stderr
    )


def test_another_version_of_a_suite_is_not_comparable(project: Path, xquad: Path) -> None:
    """When the ruler moved, the verdict is invalid and the exit code says so."""
    run = ("run", "--target", "docs", "--json")
    command(*run, "--suite", "xquad", cwd=project)
    command("baseline", "promote", "--target", "docs", "--by", "ada", "--reason", "good", cwd=project)
    moved = project / "moved" / "xquad-en"
    shutil.copytree(xquad, moved)
    lines = (moved / "qrels" / "test.tsv").read_text().splitlines()
    (moved / "qrels" / "test.tsv").write_text("\n".join(lines[:-1]) + "\n")
    done = command(*run, "--suite", str(moved), cwd=project, check=2)
    verdict = json.loads(done.stdout)["verdict"]
    assert verdict["verdict"] == "invalid"
    assert "has changed since the baseline" in verdict["summary"]


def test_a_retriever_that_is_down_is_not_a_regression(project: Path, xquad: Path) -> None:
    """Failures are counted with their reason, no measure is reported as zero, and the exit code is 3."""
    arguments = ("--target", "http://127.0.0.1:9/search", "--suite", str(xquad), "--json")
    done = command("run", *arguments, cwd=project, check=3)
    found = json.loads(done.stdout)
    assert found["runs"][0]["counts"]["reasons"] == {"unreachable": 1190}
    assert found["runs"][0]["measures"] == {}
    assert found["verdict"]["verdict"] == "invalid"


def test_check_probes_each_target_once(project: Path) -> None:
    """`check` tells for each target how many hits came back and how fast, and fails if one is down."""
    assert "10 hits with scores" in command("check", cwd=project).stdout
    text = (project / "recallwatch.yaml").read_text()
    broken = text.replace("/search", "/search", 1).replace("http://127.0.0.1:", "http://127.0.0.1:1", 1)
    (project / "recallwatch.yaml").write_text(broken)
    assert "unreachable" in command("check", cwd=project, check=3).stdout


def test_init_writes_a_configuration_that_is_right_and_never_overwrites(tmp_path: Path) -> None:
    """What `init` writes passes the checks of the configuration; an existing file is left alone."""
    command("init", cwd=tmp_path)
    done = command("check", cwd=tmp_path, check=3)
    assert "the configuration is valid" in done.stdout
    again = command("init", cwd=tmp_path, check=2)
    assert again.stderr == "recallwatch: recallwatch.yaml: exists already; nothing was written\n"


def test_the_schema_is_json_and_names_the_keys(tmp_path: Path) -> None:
    """`schema` prints the JSON Schema of every key, the adapters' own included."""
    schema = json.loads(command("schema", cwd=tmp_path).stdout)
    assert {"storage", "targets", "suites", "schedules", "policies", "notifiers"} <= schema["properties"].keys()
    assert "short_rankings" in json.dumps(schema)


def test_a_mistake_is_one_line_that_names_the_key(tmp_path: Path) -> None:
    """A wrong configuration ends every command with exit code 2, one line, and nothing started."""
    (tmp_path / "recallwatch.yaml").write_text("schedules: {nightly: {target: x, suites: [broad], evry: 1h}}\n")
    done = command("serve", cwd=tmp_path, check=2)
    assert done.stderr == "recallwatch: schedules.nightly.evry: unknown key; did you mean every?\n"
    assert not (tmp_path / "recallwatch-data").exists()


def test_a_database_that_is_gone_is_one_line_that_says_what_to_check(project: Path) -> None:
    """With an unreachable database a command ends with exit code 3, and no password is shown."""
    text = (project / "recallwatch.yaml").read_text()
    (project / "recallwatch.yaml").write_text(text + 'storage: {url: "postgresql://u:hunter2@127.0.0.1:9/db"}\n')
    done = command("run", "--target", "docs", "--suite", "xquad", cwd=project, check=3)
    assert "check storage.url" in done.stderr
    assert "hunter2" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_unmigrated_database_is_refused_until_it_is_migrated(project: Path, postgres_server: str) -> None:
    """A database of the user's own is changed by `migrate` alone."""
    import psycopg

    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE fresh")
    url = postgres_server.replace("/postgres?", "/fresh?")
    text = (project / "recallwatch.yaml").read_text()
    (project / "recallwatch.yaml").write_text(text + f'storage: {{url: "{url}"}}\n')
    refused = command("baseline", "show", cwd=project, check=3)
    assert "run `recallwatch migrate`" in refused.stderr
    command("migrate", cwd=project)
    command("baseline", "show", cwd=project)
