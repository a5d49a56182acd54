"""The ready-made pieces for pipelines: the action in a scratch repository, and calls that are valid."""

import os
import re
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
import yaml

from monitor.cli.main import app
from tests.conftest import ROOT, command, started
from tests.unit.service.api_client import Api, with_api

pytestmark = pytest.mark.slow
ACTION = ROOT / ".github" / "actions" / "gate"
EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def retriever(numbered: Path) -> Iterator[str]:
    """A live retriever over numbered documents."""
    with started("tests/word_retriever.py", str(numbered)) as service:
        yield service["url"]


@pytest.fixture
def repository(tmp_path: Path, retriever: str, numbered: Path) -> Path:
    """A scratch repository with a configuration, and recallwatch on its path."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / "recallwatch.yaml").write_text(
        f"""
targets: {{docs: {{retriever: {{kind: http, url: "{retriever}/search", concurrency: 8}}}}}}
suites: {{numbered: {{path: "{numbered}"}}}}
"""
    )
    tools = tmp_path / "bin"
    tools.mkdir()
    script = tools / "recallwatch"
    script.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m monitor "$@"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    (tools / "python").symlink_to(sys.executable)
    return tmp_path


def run_action(repository: Path, **inputs: str) -> tuple[int, dict[str, str], str]:
    """Exit code, outputs and step summary of the action's own script, as a runner calls it."""
    outputs, summary = repository / "outputs", repository / "summary"
    outputs.write_text("")
    summary.write_text("")
    environment = {
        **os.environ,
        "PATH": f"{repository / 'bin'}:{os.environ['PATH']}",
        "RUNNER_TEMP": str(repository / "temp"),
        "GITHUB_OUTPUT": str(outputs),
        "GITHUB_STEP_SUMMARY": str(summary),
        "INSTALL": "",
        "RECALLWATCH_CONFIG": "recallwatch.yaml",
        **inputs,
    }
    done = subprocess.run([str(ACTION / "gate.sh")], cwd=repository, env=environment, timeout=240, check=False)
    pairs = dict(line.split("=", 1) for line in outputs.read_text().splitlines())
    return done.returncode, pairs, summary.read_text()


def test_the_action_gates_a_scratch_repository(repository: Path, retriever: str) -> None:
    """Without a baseline 2, with one 0, and 1 for a worse candidate, with outputs and a summary."""
    code, outputs, _ = run_action(repository, TARGET="docs", SUITES="numbered")
    assert (code, outputs["verdict"]) == (2, "none")
    command("run", "--target", "docs", "--suite", "numbered", cwd=repository)
    command("baseline", "promote", "--target", "docs", "--by", "ada", "--reason", "reviewed", "--force", cwd=repository)
    code, outputs, summary = run_action(repository, TARGET="docs", SUITES="numbered")
    assert (code, outputs["verdict"]) == (0, "passed")
    assert summary.startswith("### ✅ recallwatch: passed")
    httpx.post(f"{retriever}/break", json={"share": 0.3})
    try:
        code, outputs, summary = run_action(
            repository, TARGET="docs", SUITES="numbered", CANDIDATE=f"{retriever}/search"
        )
    finally:
        httpx.post(f"{retriever}/break", json={"share": 0.0})
    assert (code, outputs["verdict"]) == (1, "regressed")
    assert (Path(outputs["report"]) / "gate.xml").exists()
    assert "regressed" in summary


def test_an_input_never_becomes_shell_code(repository: Path) -> None:
    """A target with shell syntax is an unknown target, and its command does not run."""
    code, _, _ = run_action(repository, TARGET='docs"; touch pwned; "$(touch pwned)', SUITES="numbered")
    assert code == 2
    assert not (repository / "pwned").exists()


def test_every_input_of_the_action_reaches_its_script() -> None:
    """The inputs that action.yml declares are those that the script reads."""
    action = yaml.safe_load((ACTION / "action.yml").read_text())
    step = action["runs"]["steps"][0]
    used = set(re.findall(r"inputs\.([\w-]+)", str(step["env"])))
    assert used == set(action["inputs"])
    script = (ACTION / "gate.sh").read_text()
    assert [name for name in step["env"] if name not in script and name != "RECALLWATCH_CONFIG"] == []


def gate_calls() -> Iterator[tuple[str, list[str]]]:
    """The arguments of each `recallwatch gate` in the examples."""
    job = yaml.safe_load((EXAMPLES / "kubernetes" / "gate-job.yaml").read_text())
    yield "kubernetes", job["spec"]["template"]["spec"]["containers"][0]["args"][1:]
    canary = yaml.safe_load((EXAMPLES / "flagger" / "canary.yaml").read_text())
    yield "flagger", shlex.split(canary["spec"]["analysis"]["webhooks"][0]["metadata"]["cmd"])[2:]
    pipeline = yaml.safe_load((EXAMPLES / "gitlab" / "recallwatch-gate.gitlab-ci.yml").read_text())
    yield "gitlab", shlex.split(pipeline[".recallwatch-gate"]["script"][0])[2:]


@pytest.mark.parametrize(("name", "arguments"), list(gate_calls()), ids=lambda each: str(each)[:12])
def test_the_examples_call_the_gate_with_options_that_exist(name: str, arguments: list[str]) -> None:
    """The command line accepts the arguments of each example."""
    gate: Any = typer.main.get_command(app)
    context = gate.commands["gate"].make_context("gate", list(arguments))
    assert context.params["target"], name


def test_the_analysis_of_argo_rollouts_reads_the_gate() -> None:
    """The address of the template is one of the API's, and its JSON path names a field of the documented answer."""
    template = yaml.safe_load((EXAMPLES / "argo-rollouts" / "analysis-template.yaml").read_text())
    web = template["spec"]["metrics"][0]["provider"]["web"]

    async def document(api: Api) -> Any:
        return (await api.send("GET", "/openapi.json")).json()

    schema = with_api(document)
    path = web["url"].partition("/api/v1")[2].partition("?")[0]
    parameters = {each["name"] for each in schema["paths"][path]["get"]["parameters"]}
    assert set(re.findall(r"[?&](\w+)=", web["url"])) <= parameters
    field = web["jsonPath"].removeprefix("{$.").removesuffix("}")
    assert field in schema["components"]["schemas"]["GateAnswer"]["properties"]
