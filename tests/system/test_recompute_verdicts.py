"""Verdicts of real runs, decided again by `recallwatch verdicts recompute` from the database alone."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.conftest import command, started

pytestmark = pytest.mark.slow
N_DOCUMENTS = 60


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A suite of one query for each of sixty documents, each a cluster of its own."""
    folder = tmp_path / "numbered"
    (folder / "qrels").mkdir(parents=True)
    documents = [{"_id": f"d{n}", "text": f"the subject number{n} is described here"} for n in range(N_DOCUMENTS)]
    queries = [{"_id": f"q{n}", "text": f"where is number{n}"} for n in range(N_DOCUMENTS)]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in documents))
    (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries))
    (folder / "qrels" / "test.tsv").write_text("".join(f"q{n}\td{n}\t1\n" for n in range(N_DOCUMENTS)))
    return folder


@pytest.fixture
def retriever(suite: Path) -> Iterator[str]:
    """A live retriever over the documents of the suite."""
    with started("tests/word_retriever.py", str(suite)) as address:
        yield address["url"]


@pytest.fixture
def project(tmp_path: Path, suite: Path, retriever: str, postgres_url: str) -> Path:
    """A folder with a configuration of the live retriever, of a target that is down, and of a real database."""
    (tmp_path / "recallwatch.yaml").write_text(
        f"""
storage: {{url: "{postgres_url}"}}
targets:
  docs: {{retriever: {{kind: http, url: "{retriever}/search", concurrency: 8}}}}
  down: {{retriever: {{kind: http, url: "http://127.0.0.1:9/search", concurrency: 8}}}}
suites: {{numbered: {{path: "{suite}"}}}}
"""
    )
    return tmp_path


def recompute(project: Path, *arguments: str, check: int = 0) -> dict[str, Any]:
    """The result of the command as JSON."""
    done = command("verdicts", "recompute", *arguments, "--json", cwd=project, check=check)
    return json.loads(done.stdout)


def fill(project: Path, retriever: str) -> list[str]:
    """Run, promote, run with two changed retrievers, compare, and probe a target that is down."""
    run = ("run", "--suite", "numbered", "--json", "--target")
    verdicts = [command(*run, "docs", cwd=project)]
    command("baseline", "promote", "--target", "docs", "--by", "ada", "--reason", "known to be good", cwd=project)
    verdicts.append(command(*run, "docs", cwd=project))
    for share in (0.3, 0.5):
        httpx.post(f"{retriever}/break", json={"share": share})
        verdicts.append(command(*run, "docs", cwd=project, check=1))
    command("compare", "--baseline", "docs", "--candidate", "down", "--suite", "numbered", cwd=project, check=3)
    verdicts.append(command(*run, "down", cwd=project, check=3))
    return [json.loads(done.stdout)["verdict"]["verdict"] for done in verdicts]


def test_every_stored_verdict_can_be_recomputed(project: Path, retriever: str, postgres_url: str) -> None:
    """First, passed, regressed and invalid verdicts come out the same; a stored value that was changed is named."""
    assert fill(project, retriever) == ["inconclusive", "passed", "regressed", "regressed", "invalid"]

    result = recompute(project, "--all")
    assert (result["identical"], result["different"]) == (6, 0)
    evidence = {row["verdict"]: row["evidence"] for row in result["verdicts"]}
    assert evidence["regressed"] > 0
    assert "identical" in command("verdicts", "recompute", "--all", cwd=project).stdout

    listed = json.loads(command("verdicts", "list", "--json", cwd=project).stdout)["verdicts"]
    assert [row["verdict"] for row in listed].count("regressed") == 2
    latest = next(row["verdict_id"] for row in listed if row["verdict"] == "regressed")
    shown = json.loads(command("verdicts", "show", latest[:12], "--json", cwd=project).stdout)
    assert [each["measure"] for each in shown["insights"]["safety"]]
    assert recompute(project, latest[:12])["identical"] == 1

    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(
            """UPDATE decided_verdict SET evidence = jsonb_set(evidence::jsonb, '{0,difference}',
            to_jsonb((evidence::jsonb #>> '{0,difference}')::float8 + 1e-15)) WHERE verdict_id = %s""",
            [latest],
        )
    changed = recompute(project, latest[:12], check=1)
    assert changed["verdicts"][0]["first_difference"].startswith("difference of numbered overall ")
    assert recompute(project, "--all", check=1)["different"] == 1


def test_ids_are_accepted_by_their_beginning(project: Path, retriever: str) -> None:
    """A unique beginning is enough for runs and verdicts; an ambiguous or unknown one is refused with the way out."""
    run = ("run", "--suite", "numbered", "--json", "--target", "docs")
    first, second = (json.loads(command(*run, cwd=project).stdout)["runs"][0]["run_id"] for _ in range(2))
    listed = json.loads(command("runs", "list", "--json", cwd=project).stdout)["runs"]
    assert [row["run_id"] for row in listed] == [second, first]
    shown = json.loads(command("runs", "show", first[:16], "--json", cwd=project).stdout)
    assert (shown["run_id"], shown["counts"]["scored"]) == (first, N_DOCUMENTS)
    command("baseline", "promote", first[:16], "--by", "ada", "--reason", "good", cwd=project)
    command("compare", first[:16], second[:16], cwd=project)

    ambiguous = command("runs", "show", "", cwd=project, check=3)
    assert f'run "" is ambiguous; it matches {second}, {first}' in ambiguous.stderr
    unknown = command("verdicts", "show", "none", cwd=project, check=3)
    assert unknown.stderr == 'recallwatch: unknown verdict "none"; `recallwatch verdicts list` prints the latest\n'
    both = command("verdicts", "recompute", cwd=project, check=2)
    assert "give either a verdict id or --all" in both.stderr
