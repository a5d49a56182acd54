"""Answers over public questions, from the command line: measured, compared, and blamed on who lost them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import command, started

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def service(xquad: Path) -> Iterator[str]:
    """A retriever with a real embedding model, and the extractive reader that answers from it."""
    with started("-m", "monitor.demo.service", str(xquad)) as said:
        yield said["url"]


@pytest.fixture(scope="module")
def told(service: str, xquad: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A run, the same again after an adapter was swapped in, and both compared with their contexts replayed."""
    folder = tmp_path_factory.mktemp("answers")
    (folder / "recallwatch.yaml").write_text(
        f"""
targets:
  docs:
    retriever: {{kind: http, url: "{service}/search", timeout: 60s, concurrency: 16}}
    answerer:
      kind: http
      url: "{service}/answer"
      contexts_request: {{query: "{{query}}", contexts: "{{contexts}}"}}
      timeout: 120s
      concurrency: 16
suites: {{xquad: {{path: "{xquad}"}}}}
"""
    )
    run = ("run", "--target", "docs", "--suite", "xquad", "--json")
    first = json.loads(command(*run, cwd=folder).stdout)
    command("baseline", "promote", "--target", "docs", "--by", "ada", "--reason", "untouched", cwd=folder)
    httpx.post(f"{service}/adapter", json={"steps": 300, "seed": 1}, timeout=120).raise_for_status()
    second = json.loads(command(*run, cwd=folder, check=1).stdout)
    ids = [each["runs"][0]["run_id"] for each in (first, second)]
    compared = json.loads(command("compare", *ids, "--attribution", "--json", cwd=folder, check=1).stdout)
    shown = command("compare", *ids, cwd=folder, check=1).stdout
    return {"first": first, "second": second, "compared": compared, "shown": shown}


def test_a_run_stores_exact_match_and_f1_beside_recall(told: dict[str, Any]) -> None:
    """Every question is answered, and the scores of the answers stand beside those of the rankings."""
    run = told["first"]["runs"][0]
    assert (run["answers"]["scored"], run["answers"]["failed"]) == (1190, 0)
    assert run["measures"]["recall@10"] > 0.9
    assert 0.2 < run["measures"]["answer_f1"] < 1.0
    assert 0.0 < run["measures"]["answer_exact"] <= run["measures"]["answer_f1"]


def test_a_worse_retriever_takes_the_answers_down_and_is_blamed(told: dict[str, Any]) -> None:
    """The adapter touches retrieval alone: answers fall with it, and the whole drop is retrieval's."""
    verdict = told["second"]["verdict"]
    assert verdict["verdict"] == "regressed"
    (blame,) = verdict["insights"]["xquad-en"]["attribution"]
    shares = {each["name"]: each for each in blame["shares"]}
    assert blame["upper"] < 0
    assert shares["retrieval"]["upper"] < 0
    assert shares["generation"]["lower"] < 0 < shares["generation"]["upper"]
    assert sum(each["difference"] for each in blame["shares"]) == pytest.approx(blame["difference"], abs=1e-12)


def test_replaying_contexts_agrees(told: dict[str, Any]) -> None:
    """The same reader with yesterday's contexts answers as it did: generation has lost nothing."""
    replayed = told["compared"]["replay"]["measures"]["answer_f1"]
    shares = {each["name"]: each for each in replayed["attribution"]["shares"]}
    assert shares["generation"]["difference"] == pytest.approx(0.0, abs=1e-9)
    assert shares["retrieval"]["upper"] < 0
    assert replayed["ceiling"]["mean"] > 0.2
    assert replayed["calibrations"][0]["bias"] == pytest.approx(0.0, abs=1e-9)
    assert "retrieval found the evidence less often" in told["shown"]


def test_the_swap_is_told_as_what_it_was(told: dict[str, Any]) -> None:
    """Scores and rankings alone say that it was the model."""
    (swap,) = told["second"]["swaps"]
    assert "model changed" in swap["cause"]
    assert swap["answers_changed"] > 0


@pytest.fixture
def codes(tmp_path: Path) -> Path:
    """A suite with answers and chains: the first hop finds a code, and the second one looks for the code."""
    folder = tmp_path / "codes"
    (folder / "qrels").mkdir(parents=True)
    documents = [{"_id": f"d{n}", "title": "", "text": f"code{n}"} for n in range(80)]
    queries: list[dict[str, Any]] = []
    for n in range(80):
        about = {"answers": [f"code{n}"], "cluster": f"c{n}"}
        queries.append({"_id": f"q{n}", "text": f"what is code{n} for", "metadata": about})
        queries.append({"_id": f"f{n}", "text": "who needs {answer}", "metadata": {**about, "follows": f"q{n}"}})
    rows = ["query-id\tcorpus-id\tscore", *(f"{kind}{n}\td{n}\t1" for n in range(80) for kind in "qf")]
    (folder / "suite.yaml").write_text("name: codes\nversion: '1'\naxis: broad\n")
    (folder / "corpus.jsonl").write_text("".join(json.dumps(document) + "\n" for document in documents))
    (folder / "queries.jsonl").write_text("".join(json.dumps(query) + "\n" for query in queries))
    (folder / "qrels" / "test.tsv").write_text("".join(f"{row}\n" for row in rows))
    return folder


def test_two_live_targets_are_compared_with_attribution_and_chains(codes: Path, tmp_path: Path):
    """Both answerers answer from both contexts: the candidate's retriever is to blame, and chains fall with it."""
    script = str(Path(__file__).parents[1] / "word_retriever.py")
    with started(script, str(codes)) as old, started(script, str(codes)) as new:
        httpx.post(f"{new['url']}/break", json={"share": 0.3}).raise_for_status()
        targets = "".join(
            f"""
  {name}:
    retriever: {{kind: http, url: "{url}/search"}}
    answerer:
      kind: http
      url: "{url}/answer"
      contexts_request: {{query: "{{query}}", contexts: "{{contexts}}"}}
"""
            for name, url in (("old", old["url"]), ("new", new["url"]))
        )
        (tmp_path / "recallwatch.yaml").write_text(f"targets:{targets}suites: {{codes: {{path: '{codes}'}}}}\n")
        side_by_side = ("compare", "--baseline", "old", "--candidate", "new", "--suite", "codes", "--attribution")
        compared = json.loads(command(*side_by_side, "--json", cwd=tmp_path, check=1).stdout)
    (replayed,) = compared["replay"]
    f1 = replayed["measures"]["answer_f1"]
    shares = {each["name"]: each for each in f1["attribution"]["shares"]}
    assert shares["retrieval"]["difference"] == pytest.approx(f1["attribution"]["difference"])
    assert shares["retrieval"]["upper"] < 0
    assert shares["generation"]["difference"] == 0
    assert [each["bias"] for each in f1["calibrations"]] == [0, 0]
    assert compared["insights"]["codes"]["chains"]["chain_loss"] == pytest.approx(0.3, abs=0.05)
