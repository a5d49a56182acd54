"""A session at a daemon equals one in its database: the same commands, output for output; and TLS."""

import io
import json
import os
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.cli.main import main
from tests.conftest import ROOT, command, started
from tests.contract.fakes import CERTIFICATE
from tests.system.watching import free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
N_QUERIES = 240
TARGETS = ("lab", "docs", "shop")


@pytest.fixture(scope="module")
def suite(numbered: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The numbered suite with one question on each document."""
    folder = tmp_path_factory.mktemp("suites") / "small"
    (folder / "qrels").mkdir(parents=True)
    for name in ("corpus.jsonl", "suite.yaml"):
        (folder / name).write_text((numbered / name).read_text().replace("name: numbered", "name: small"))
    for name, n_lines in (("queries.jsonl", N_QUERIES), ("qrels/test.tsv", N_QUERIES + 1)):
        (folder / name).write_text("".join((numbered / name).read_text().splitlines(keepends=True)[:n_lines]))
    return folder


@pytest.fixture(scope="module")
def retriever(suite: Path) -> Iterator[str]:
    """A live retriever over the documents of the suite."""
    with started("tests/word_retriever.py", str(suite)) as service:
        yield service["url"]


def write_config(folder: Path, retriever: str, suite: Path, server: dict[str, Any]) -> int:
    """A configuration with one schedule, due once at the start of its daemon; the port of the daemon."""
    port = free_port()
    target = {"retriever": {"kind": "http", "url": f"{retriever}/search", "concurrency": 8}}
    config = {
        "targets": dict.fromkeys(TARGETS, target),
        "suites": {"small": {"path": str(suite)}},
        "schedules": {"yearly": {"target": "lab", "suites": ["small"], "cron": "0 0 29 2 *", "policy": "lenient"}},
        "policies": {"lenient": {"margin": 0.1, "tolerances": [{"stratum": "small", "margin": 0.2}]}},
        "silences": [{"match": {"target": "staging"}, "daily": "22:00-06:00", "reason": "nightly rebuild"}],
        "server": {"port": port, "requests_per_minute": 100_000, "drain_timeout": "1s", **server},
    }
    (folder / "recallwatch.yaml").write_text(json.dumps(config))
    return port


@contextmanager
def daemon(folder: Path, url: str, *, verify: ssl.SSLContext | bool = True) -> Iterator[str]:
    """`recallwatch serve` in a process of its own, ready for requests; yields its URL."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (folder / "serve.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "monitor", "serve"], cwd=folder, env=environment, stdout=log, stderr=log
        )

    def is_ready() -> bool:
        assert process.poll() is None, (folder / "serve.log").read_text()
        try:
            return httpx.get(f"{url}/readyz", verify=verify).status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait_until(is_ready)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def a_token(folder: Path) -> str:
    """A new token with every right."""
    done = command("token", "create", "laptop", "--scope", "admin", "--by", "ada", "--json", cwd=folder)
    token: str = json.loads(done.stdout)["token"]
    return token


@dataclass(frozen=True)
class Installation:
    """A project with a daemon, and commands that run there."""

    folder: Path
    url: str

    def run(self, *arguments: str, at: str) -> tuple[int, str, str]:
        """Exit code, output and messages of a command, in this process: ``here`` or ``there``."""
        place = ("--server", self.url) if at == "there" else ("--config", str(self.folder / "recallwatch.yaml"))
        output, messages = io.StringIO(), io.StringIO()
        argv, directory = sys.argv, Path.cwd()
        sys.argv = ["recallwatch", *arguments, *place]
        os.chdir(self.folder)
        try:
            with redirect_stdout(output), redirect_stderr(messages), pytest.raises(SystemExit) as end:
                main()
        finally:
            sys.argv = argv
            os.chdir(directory)
        return int(end.value.code or 0), output.getvalue(), messages.getvalue()

    def both(self, *arguments: str) -> list[tuple[int, str, str]]:
        """The same command here and there."""
        return [self.run(*arguments, at=place) for place in ("here", "there")]

    def change(self, *arguments: str, check: int = 0) -> None:
        """Run a command here that must end with this exit code."""
        code, output, messages = self.run(*arguments, at="here")
        assert code == check, output + messages

    def data(self, *arguments: str) -> Any:
        """The result of a command as JSON."""
        code, output, messages = self.run(*arguments, "--json", at="here")
        assert code == 0, messages
        return json.loads(output)


@pytest.fixture(scope="module")
def installation(retriever: str, suite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A daemon and three targets, each with a baseline, a regression and an open incident. No cycle is due."""
    folder = tmp_path_factory.mktemp("project")
    port = write_config(folder, retriever, suite, {})
    environment = pytest.MonkeyPatch()
    with daemon(folder, f"http://127.0.0.1:{port}") as url:
        environment.setenv("RECALLWATCH_TOKEN", a_token(folder))
        project = Installation(folder, url)
        wait_until(lambda: [each["status"] for each in project.data("runs", "list")["runs"]] == ["finished"])
        for share in (0.0, 0.3):
            httpx.post(f"{retriever}/break", json={"share": share})
            for target in ("docs", "shop") if not share else TARGETS:
                project.change("run", "--target", target, "--suite", "small", check=1 if share else 0)
            for target in () if share else TARGETS:
                promotion = ("--target", target, "--by", "ada", "--reason", "reviewed", "--force")
                project.change("baseline", "promote", *promotion)
        httpx.post(f"{retriever}/break", json={"share": 0.0})
        yield project
    environment.undo()


READS = {
    "runs": ("runs", "list", "--target", "docs"),
    "run": ("runs", "show", "@baseline:docs/small", "--bounds"),
    "verdicts": ("verdicts", "list", "--limit", "3"),
    "verdict": ("verdicts", "show", "VERDICT", "--all"),
    "recomputed verdict": ("verdicts", "recompute", "VERDICT"),
    "baselines": ("baseline", "show"),
    "incidents": ("incident", "list"),
    "incident": ("incident", "show", "INCIDENT"),
    "silences": ("silence", "list", "--ended"),
    "policy": ("policy", "explain", "lenient"),
    "audit log": ("audit", "verify"),
    "exported audit log": ("audit", "export"),
    "comparison": ("compare", "@baseline:docs/small", "@latest:docs/small"),
    "query": ("diff", "@baseline:docs/small", "@latest:docs/small", "q0"),
    "cost of a gate": ("gate", "--target", "docs", "--dry-run"),
}
_NAMED = ("verdicts", "incidents")


@pytest.mark.parametrize("name", READS)
def test_a_command_prints_the_same_at_a_daemon(installation: Installation, name: str) -> None:
    """Exit code, text and JSON of each reading command are those of the database itself."""
    verdict = installation.data("verdicts", "list")["verdicts"][0]["verdict_id"][:10]
    incident = installation.data("incident", "list")["incidents"][0]["incident_id"]
    arguments = [{"VERDICT": verdict, "INCIDENT": incident}.get(each, each) for each in READS[name]]
    for form in ((), ("--json",)):
        here, there = installation.both(*arguments, *form)
        assert masked(there, name) == masked(here, name)
        assert here[0] == (1 if name == "comparison" else 0), here
        assert len(here[1]) > 20


def masked(result: tuple[int, str, str], name: str) -> tuple[int, str, str]:
    """The result; a comparison on demand has an id and a time of its own."""
    code, output, messages = result
    return (code, anonymous(output), messages) if name == "comparison" else result


MISTAKES = {
    "unknown run": (("runs", "show", "nothing"), 3, 'unknown run "nothing"'),
    "unknown policy": (("runs", "show", "@baseline:docs/small", "--policy", "strict"), 2, 'unknown policy "strict"'),
    "unknown target": (("deploy", "v7", "--target", "nowhere", "--by", "ci"), 2, "known targets: lab, docs, shop"),
    "unknown incident": (("incident", "ack", "nothing", "--by", "ada"), 3, 'unknown incident "nothing"'),
    "ambiguous incident": (("incident", "ack", "--by", "ada"), 3, "which incident? open are"),
    "unknown silence": (("silence", "end", "nothing", "--by", "ada"), 3, 'silence "nothing"'),
    "unknown suite of a gate": (("gate", "--target", "docs", "--suite", "tiny"), 2, "tiny"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_explained_in_the_same_words(installation: Installation, name: str) -> None:
    """Exit code and message of a refused command are the same at both places."""
    arguments, code, words = MISTAKES[name]
    here, there = installation.both(*arguments)
    assert there == here
    assert (here[0], here[1]) == (code, "")
    assert words in here[2]


_CHANGING = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(\+00:00|Z)?|\b(incident_|silence_)?[0-9a-f]{7,}…?|"
    r"\d+ min|about \d+ s|"
    r"\b\d+\.\d{3,}\b"
)


def anonymous(text: str) -> str:
    """The text without ids and times, and without the widths that they give to columns."""
    text = _CHANGING.sub("#", text.replace("shop", "docs"))
    return re.sub(r"[─━┬┴┼┳┻╇│┃\s]+", " ", text)


def decide(installation: Installation, arguments_of: Callable[[str], tuple[str, ...]]) -> list[Any]:
    """The same decision about docs here and about shop there; both results as JSON."""
    here = installation.run(*arguments_of("docs"), at="here")
    there = installation.run(*arguments_of("shop"), at="there")
    assert (here[0], there[0]) == (0, 0), here[2] + there[2]
    assert anonymous(there[1]) == anonymous(here[1])
    return [json.loads(output) if output.startswith("{") else output for _, output, _ in (here, there)]


def incident_of(installation: Installation, target: str) -> str:
    """The id of the incident of a target."""
    incidents = installation.data("incident", "list")["incidents"]
    name: str = next(each["incident_id"] for each in incidents if each["target"] == target)
    return name


def test_people_decide_the_same_at_a_daemon(installation: Installation) -> None:
    """Deployments, incidents, promotions and silences print the same, and are stored with person and reason."""
    decide(installation, lambda target: ("deploy", "v7", "--target", target, "--by", "ci", "--detail", "commit=4f2c"))
    ids = {target: incident_of(installation, target) for target in ("docs", "shop")}
    decide(installation, lambda target: ("incident", "ack", ids[target], "--by", "grace"))
    dismissal = ("--by", "grace", "--reason", "a load test", "--json")
    decide(installation, lambda target: ("incident", "dismiss", ids[target], *dismissal))
    promotion = ("--by", "ada", "--reason", "accepted", "--force", "--json")
    decide(installation, lambda target: ("baseline", "promote", "--target", target, *promotion))
    nights = ("--daily", "22:00-06:00", "--weekday", "sat", "--zone", "Europe/Berlin", "--by", "ada")
    silences = decide(
        installation,
        lambda target: ("silence", "add", "--match", f"target={target}", *nights, "--reason", "batch", "--json"),
    )
    names = dict(zip(("docs", "shop"), [each["silence_id"] for each in silences], strict=True))
    assert [(each["author"], each["reason"], each["weekdays"]) for each in silences] == [("ada", "batch", ["sat"])] * 2
    decide(installation, lambda target: ("silence", "end", names[target], "--by", "grace", "--json"))
    assert [each["ended_by"] for each in installation.data("silence", "list", "--ended")["silences"]] == [
        "",  # of the configuration
        "grace",
        "grace",
    ]
    entries = installation.data("audit", "export")["entries"]
    recorded = [(each["action"], each["actor"], each["reason"]) for each in entries if "silence" in each["action"]]
    assert recorded == [("silence.added", "ada", "batch")] * 2 + [("silence.ended", "grace", "")] * 2
    signed = [each["subject"] for each in entries if each["action"] == "request.on_behalf"]
    assert signed == ["ci", "grace", "grace", "ada", "ada", "grace"], "each write over HTTP names its token and person"


def test_a_gate_at_a_daemon_gives_the_same_report(installation: Installation, tmp_path: Path) -> None:
    """Verdict, cost, exit code and the files of the report agree with a gate on this machine."""
    results, files = [], []
    for place in ("here", "there"):
        names = [tmp_path / f"{place}.{suffix}" for suffix in ("xml", "md", "json")]
        options = [f"--{kind}={name}" for kind, name in zip(("junit", "markdown", "report"), names, strict=True)]
        code, output, messages = installation.run("gate", "--target", "shop", "--suite", "small", *options, at=place)
        results.append((code, anonymous(output), anonymous(messages)))
        report = json.loads(names[2].read_text())  # the database orders keys by their length
        texts = [names[0].read_text(), names[1].read_text(), json.dumps(report, sort_keys=True)]
        files.append([anonymous(text) for text in texts])
    assert results[1] == results[0]
    assert results[0][0] in (0, 4), results
    assert files[1] == files[0]


def test_a_daemon_refuses_a_session_without_a_token(installation: Installation) -> None:
    """The message says how to give one; a wrong address and another service are named too."""
    empty = pytest.MonkeyPatch()
    empty.delenv("RECALLWATCH_TOKEN")
    code, output, message = installation.run("runs", "list", at="there")
    empty.undo()
    assert (code, output) == (3, "")
    assert "set RECALLWATCH_TOKEN, or give --token-file" in message
    other = Installation(installation.folder, f"{installation.url}/elsewhere")
    assert "is this recallwatch?" in other.run("runs", "list", at="there")[2]
    nowhere = Installation(installation.folder, f"http://127.0.0.1:{free_port()}")
    assert "no connection" in nowhere.run("runs", "list", at="there")[2]


def test_the_server_speaks_tls_with_a_certificate_from_a_file(
    retriever: str, suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that trusts the certificate is served; one that does not refuses the server, and plain HTTP fails."""
    files = {"tls_certificate": str(CERTIFICATE), "tls_key": str(CERTIFICATE)}
    port = write_config(tmp_path, retriever, suite, files)
    token = tmp_path / "token"
    token.write_text(a_token(tmp_path) + "\n")
    trusting = ssl.create_default_context(cafile=CERTIFICATE)
    call = ("baseline", "show", "--json", "--token-file", "token", "--server", f"https://localhost:{port}")
    with daemon(tmp_path, f"https://localhost:{port}", verify=trusting) as url:
        with pytest.raises(httpx.ConnectError, match=r"CERTIFICATE_VERIFY_FAILED|certificate verify failed"):
            httpx.get(f"{url}/healthz")
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://localhost:{port}/healthz")
        refused = command(*call, cwd=tmp_path, check=3)
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        served = command(*call, cwd=tmp_path)
    assert "no connection" in refused.stderr
    assert json.loads(served.stdout)["baselines"] == []
