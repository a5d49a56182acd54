"""A target whose ids are not the suite's is found out by `check`, `run` and `baseline promote`."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import command, started

pytestmark = pytest.mark.slow
TOPICS = [*"abcdefghijklm"]
FOREIGN = "join('-', ['chunk', id])"


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite of thirteen questions about thirteen documents, with its corpus."""
    folder = tmp_path_factory.mktemp("desk") / "desk"
    (folder / "qrels").mkdir(parents=True)
    documents = [{"_id": str(100 + n), "text": f"the rules about word{topic}"} for n, topic in enumerate(TOPICS)]
    queries = [{"_id": f"q{n}", "text": f"what are the rules about word{topic}"} for n, topic in enumerate(TOPICS)]
    qrels = [f"q{n}\t{100 + n}\t1" for n in range(len(TOPICS))]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, documents)))
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
    (folder / "qrels" / "test.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *qrels]))
    return folder


@pytest.fixture(scope="module")
def retriever(suite: Path) -> Iterator[str]:
    """A live retriever over the documents of the suite."""
    with started("tests/word_retriever.py", str(suite)) as said:
        yield said["url"]


@pytest.fixture
def project(tmp_path: Path, retriever: str, suite: Path) -> Path:
    """A configuration that reads ids the suite does not know, and one that reads the right ids."""
    target = {"kind": "http", "url": f"{retriever}/search"}
    targets = {
        "foreign": {"retriever": target | {"response": {"id": FOREIGN}}},
        "right": {"retriever": target},
    }
    for name in targets:
        config = {
            "targets": {name: targets[name]},
            "suites": {"desk": {"path": str(suite)}},
            "schedules": {"hourly": {"target": name, "suites": ["desk"], "every": "1h"}},
        }
        (tmp_path / f"{name}.yaml").write_text(json.dumps(config))
    return tmp_path


def test_check_fails_with_the_counts_and_the_field(project: Path) -> None:
    """`check` shows how many ids are known, one of each side, and the field that has the known ids."""
    shown = command("check", "-c", "foreign.yaml", cwd=project, check=3).stdout
    assert "0 of 100 returned ids are known to the suite, for example chunk-1" in " ".join(shown.split())
    assert "try `id: id`" in shown
    data = json.loads(command("check", "-c", "foreign.yaml", "--json", cwd=project, check=3).stdout)
    assert data["targets"]["foreign"]["suites"]["desk"]["n_known"] == 0
    assert "known to the suite" not in command("check", "-c", "right.yaml", cwd=project).stdout


def test_run_is_invalid_and_promote_refuses(project: Path) -> None:
    """A run of foreign ids is invalid; promote refuses it, and after --force the next run is invalid, not passed."""
    run = ("run", "-c", "foreign.yaml", "--target", "foreign", "--suite", "desk", "--json")
    first = json.loads(command(*run, cwd=project, check=2).stdout)
    assert first["verdict"]["verdict"] == "invalid"
    assert "0 of 130 returned ids are known to the suite" in first["verdict"]["summary"]
    assert first["advice"] == ["desk: try `id: id`"]
    promote = ("baseline", "promote", "-c", "foreign.yaml", "--target", "foreign", "--by", "ada", "--reason", "trust")
    refused = command(*promote, cwd=project, check=2).stderr
    assert "promote with --force" in refused
    command(*promote, "--force", cwd=project)
    second = json.loads(command(*run, cwd=project, check=2).stdout)
    assert second["verdict"]["verdict"] == "invalid"


def test_a_right_target_passes(project: Path) -> None:
    """With the right ids the same suite can be promoted and passes."""
    run = ("run", "-c", "right.yaml", "--target", "right", "--suite", "desk", "--json")
    assert json.loads(command(*run, cwd=project).stdout)["verdict"]["verdict"] == "inconclusive"
    promote = ("baseline", "promote", "-c", "right.yaml", "--target", "right", "--by", "ada", "--reason", "trust")
    command(*promote, cwd=project)
    assert json.loads(command(*run, cwd=project).stdout)["verdict"]["verdict"] == "passed"


def test_a_target_with_few_hits_is_judged_within_its_limit(project: Path, suite: Path, retriever: str) -> None:
    """With `limits.max_k` no probe requests more hits; a gating measure that needs more is refused by name."""
    config = json.loads((project / "right.yaml").read_text())
    config["targets"]["right"]["limits"] = {"max_k": 5}
    (project / "small.yaml").write_text(json.dumps(config))
    run = ("run", "-c", "small.yaml", "--target", "right", "--suite", "desk", "--json")
    assert "targets.right.limits.max_k: is 5, and the policy gates on" in command(*run, cwd=project, check=2).stderr
    config["policies"] = {"default": {"gating": {"broad": ["recall@5"], "compositional": ["pair_accuracy"]}}}
    (project / "small.yaml").write_text(json.dumps(config))
    measures = json.loads(command(*run, cwd=project).stdout)["runs"][0]["measures"]
    assert measures["recall@5"] == 1.0
    assert "recall@10" not in measures


def test_what_a_callable_prints_leaves_json_alone(project: Path, suite: Path) -> None:
    """Output of user code goes to standard error."""
    (project / "noisy.py").write_text("def search(query, k):\n    print('loud')\n    return ['100', '101'][:k]\n")
    config = json.loads((project / "right.yaml").read_text())
    config["targets"] = {
        "noisy": {"retriever": {"kind": "callable", "call": "noisy:search", "path": ".", "short_rankings": "accept"}}
    }
    config["schedules"]["hourly"]["target"] = "noisy"
    (project / "noisy.yaml").write_text(json.dumps(config))
    done = command("check", "-c", "noisy.yaml", "--json", cwd=project)
    assert json.loads(done.stdout)["targets"]["noisy"]["hits"] == 2
    assert "loud" in done.stderr
