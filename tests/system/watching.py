"""Prometheus and Alertmanager on loopback for tests, and small suites that are replayed quickly."""

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
        """The current result of an expression."""
        answer = await self.client.get(f"{self.url}/api/v1/query", params={"query": expression})
        assert answer.status_code == 200, f"{expression}: {answer.text}"
        series: list[dict[str, Any]] = answer.json()["data"]["result"]
        return series

    async def label_values(self, series: str, label: str) -> list[str]:
        """The values of a label, queried as by a dashboard variable."""
        answer = await self.client.get(f"{self.url}/api/v1/label/{label}/values", params={"match[]": series})
        assert answer.status_code == 200, f"{series}: {answer.text}"
        values: list[str] = answer.json()["data"]
        return values


async def promote_first_runs(daemon: Daemon) -> None:
    """Promote the first run of each schedule."""
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
    """An unused port of loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@asynccontextmanager
async def prometheus(folder: Path, scraped: str, alertmanager_url: str = "") -> AsyncIterator[Prometheus]:
    """Prometheus for one daemon, with the project's rules without their delays."""
    address = f"127.0.0.1:{free_port()}"
    config = yaml.safe_load((DASHBOARDS / "prometheus.yaml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "500ms", "scrape_timeout": "1s"}
    config["rule_files"] = ["rules.yaml"]
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [scraped.removeprefix("http://")]
    receivers = (
        [{"static_configs": [{"targets": [alertmanager_url.removeprefix("http://")]}]}] if alertmanager_url else []
    )
    config["alerting"]["alertmanagers"] = receivers
    _write(folder, **{"prometheus.yaml": config, "rules.yaml": rules_without_delays()})
    arguments = (
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--log.level=error",
        # Resolved alerts are sent at once, active ones again every half second.
        "--rules.alert.resend-delay=500ms",
    )
    async with _running("prometheus", *arguments, address=address) as client:
        yield Prometheus(f"http://{address}", client)


@asynccontextmanager
async def alertmanager(folder: Path, hook: str) -> AsyncIterator[str]:
    """The project's Alertmanager example without delays, with every receiver at one webhook; yields its URL."""
    address = f"127.0.0.1:{free_port()}"
    config = yaml.safe_load((DASHBOARDS / "alertmanager.yaml").read_text())
    for route in (config["route"], *config["route"]["routes"]):
        route |= {"group_wait": "0s", "group_interval": "500ms"}
    for receiver in config["receivers"]:
        for webhook in receiver.get("webhook_configs", []):
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
    """Write the contents as JSON, which is valid YAML."""
    folder.mkdir()
    for name, content in contents.items():
        (folder / name).write_text(json.dumps(content))


def rules_without_delays() -> dict[str, Any]:
    """The project's rules, evaluated twice a second and without delays."""
    rules: dict[str, Any] = yaml.safe_load((DASHBOARDS / "prometheus-rules.yaml").read_text())
    for group in rules["groups"]:
        group["interval"] = "500ms"
        for rule in group["rules"]:
            rule.pop("for", None)
            rule.pop("keep_firing_for", None)
    return rules


def small_suites(folder: Path, *, one_in: int) -> dict[str, Path]:
    """Both built-in suites with one in ``one_in`` of their clusters, over one shared corpus."""
    folders = {}
    documents: list[str] = []
    for axis in ("broad", "compositional"):
        source, folders[axis] = ROOT / "probes" / axis, folder / axis
        (folders[axis] / "qrels").mkdir(parents=True)
        documents += (source / "corpus.jsonl").read_text().splitlines()
        queries = [json.loads(line) for line in (source / "queries.jsonl").read_text().splitlines()]
        clusters = list(dict.fromkeys(each["metadata"]["cluster"] for each in queries))[::one_in]
        selected = {each["_id"]: each for each in queries if each["metadata"]["cluster"] in clusters}
        _write_lines(folders[axis] / "queries.jsonl", map(json.dumps, selected.values()))
        head, *judgements = (source / "qrels" / "test.tsv").read_text().splitlines()
        _write_lines(
            folders[axis] / "qrels" / "test.tsv", [head, *(j for j in judgements if j.split("\t")[0] in selected)]
        )
        shutil.copy(source / "suite.yaml", folders[axis])
        if (source / "pairs.jsonl").exists():
            pairs = (source / "pairs.jsonl").read_text().splitlines()
            _write_lines(
                folders[axis] / "pairs.jsonl", [pair for pair in pairs if json.loads(pair)["query_id"] in selected]
            )
    _write_lines(folder / "corpus.jsonl", documents)
    return folders


def _write_lines(path: Path, lines: Any) -> None:
    path.write_text("\n".join(lines) + "\n")
