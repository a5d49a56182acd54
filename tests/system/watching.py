"""A Prometheus and an Alertmanager of the test's own on loopback, and suites small enough to be replayed quickly."""

import asyncio
import json
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from monitor.model.deployments import Baseline
from monitor.service import wiring
from monitor.service.daemon import Daemon
from tests.conftest import ROOT
from tests.waiting import until

DASHBOARDS = ROOT / "dashboards"


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus."""

    url: str
    client: httpx.AsyncClient

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that an expression gives now."""
        answer = await self.client.get(f"{self.url}/api/v1/query", params={"query": expression})
        assert answer.status_code == 200, f"{expression}: {answer.text}"
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    async def label_values(self, series: str, label: str) -> list[str]:
        """The values of a label, as a dashboard's variable asks for them."""
        answer = await self.client.get(f"{self.url}/api/v1/label/{label}/values", params={"match[]": series})
        assert answer.status_code == 200, f"{series}: {answer.text}"
        found: list[str] = answer.json()["data"]
        return found


async def promote_first_runs(daemon: Daemon) -> None:
    """Trust what the first cycle of each schedule found."""
    await until(lambda: daemon.scheduler.reports.keys() == daemon.scheduler.plans.keys())
    for report in daemon.scheduler.reports.values():
        for run in (measured.run for measured in report.measured):
            baseline = Baseline(
                target=run.target,
                suite_name=run.suite_name,
                run_id=run.run_id,
                promoted_by="ada",
                reason="good",
                promoted_at=wiring.utc_now(),
            )
            await daemon.store.promote(baseline)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@asynccontextmanager
async def prometheus(folder: Path, scraped: str, alertmanager_url: str = "") -> AsyncIterator[Prometheus]:
    """Prometheus over one daemon, with the rules of the project but none of their patience."""
    address = f"127.0.0.1:{free_port()}"
    config = yaml.safe_load((DASHBOARDS / "prometheus.yaml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "500ms", "scrape_timeout": "1s"}
    config["rule_files"] = ["rules.yaml"]
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [scraped.removeprefix("http://")]
    told = [{"static_configs": [{"targets": [alertmanager_url.removeprefix("http://")]}]}] if alertmanager_url else []
    config["alerting"]["alertmanagers"] = told
    _write(folder, **{"prometheus.yaml": config, "rules.yaml": impatient_rules()})
    arguments = (
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--log.level=error",
        # An alert that is over is told at once, and every half second again while it lasts.
        "--rules.alert.resend-delay=500ms",
    )
    async with _running("prometheus", *arguments, address=address) as client:
        yield Prometheus(f"http://{address}", client)


@asynccontextmanager
async def alertmanager(folder: Path, hook: str) -> AsyncIterator[str]:
    """The project's Alertmanager example, with every receiver at one webhook and no patience; yields its URL."""
    address = f"127.0.0.1:{free_port()}"
    config = yaml.safe_load((DASHBOARDS / "alertmanager.yaml").read_text())
    for route in (config["route"], *config["route"]["routes"]):
        route |= {"group_wait": "0s", "group_interval": "500ms"}
    for receiver in config["receivers"]:
        for webhook in receiver["webhook_configs"]:
            webhook["url"] = hook
    _write(folder, **{"alertmanager.yaml": config})
    program = next(filter(shutil.which, ("prometheus-alertmanager", "alertmanager")), "prometheus-alertmanager")
    arguments = (
        f"--config.file={folder / 'alertmanager.yaml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
        "--log.level=error",
    )
    async with _running(program, *arguments, address=address):
        yield f"http://{address}"


@asynccontextmanager
async def _running(program: str, *arguments: str, address: str) -> AsyncIterator[httpx.AsyncClient]:
    process = await asyncio.create_subprocess_exec(program, *arguments)
    try:
        async with httpx.AsyncClient(timeout=10) as client:

            async def is_ready() -> bool:
                assert process.returncode is None, f"{program} ended with {process.returncode}"
                try:
                    return (await client.get(f"http://{address}/-/ready")).status_code == 200
                except httpx.TransportError:
                    return False

            await until(is_ready)
            yield client
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _write(folder: Path, **contents: Any) -> None:
    """JSON is YAML."""
    folder.mkdir()
    for name, content in contents.items():
        (folder / name).write_text(json.dumps(content))


def impatient_rules() -> dict[str, Any]:
    """The rules as they are, but evaluated twice a second and firing at once."""
    rules: dict[str, Any] = yaml.safe_load((DASHBOARDS / "prometheus-rules.yaml").read_text())
    for group in rules["groups"]:
        group["interval"] = "500ms"
        for rule in group["rules"]:
            rule.pop("for", None)
            rule.pop("keep_firing_for", None)
    return rules


def small_suites(folder: Path, *, one_in: int) -> dict[str, Path]:
    """Both built-in suites with one in so many of their clusters, over one corpus of the documents of both."""
    made = {}
    documents: list[str] = []
    for axis in ("broad", "compositional"):
        source, made[axis] = ROOT / "probes" / axis, folder / axis
        (made[axis] / "qrels").mkdir(parents=True)
        documents += (source / "corpus.jsonl").read_text().splitlines()
        queries = [json.loads(line) for line in (source / "queries.jsonl").read_text().splitlines()]
        clusters = list(dict.fromkeys(each["metadata"]["cluster"] for each in queries))[::one_in]
        kept = {each["_id"]: each for each in queries if each["metadata"]["cluster"] in clusters}
        _write_lines(made[axis] / "queries.jsonl", map(json.dumps, kept.values()))
        head, *judgements = (source / "qrels" / "test.tsv").read_text().splitlines()
        _write_lines(made[axis] / "qrels" / "test.tsv", [head, *(j for j in judgements if j.split("\t")[0] in kept)])
        shutil.copy(source / "suite.yaml", made[axis])
        if (source / "pairs.jsonl").exists():
            pairs = (source / "pairs.jsonl").read_text().splitlines()
            _write_lines(made[axis] / "pairs.jsonl", [pair for pair in pairs if json.loads(pair)["query_id"] in kept])
    _write_lines(folder / "corpus.jsonl", documents)
    return made


def _write_lines(path: Path, lines: Any) -> None:
    path.write_text("\n".join(lines) + "\n")
