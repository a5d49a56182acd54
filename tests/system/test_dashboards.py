"""Every query of every dashboard and rule brings something back, after a real daemon has seen a real regression."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import yaml

from dashboards.generate import DASHBOARDS
from monitor.config.config import Config, validate
from monitor.model.suites import Axis
from monitor.service import wiring
from monitor.service.daemon import Daemon, serving
from tests.conftest import ROOT, started
from tests.system.watching import Prometheus, free_port, prometheus, promote_first_runs, small_suites
from tests.waiting import until

pytestmark = pytest.mark.slow
PAGES = {name: build() for name, build in DASHBOARDS.items()}
PANELS = [(name, panel) for name, page in PAGES.items() for panel in page["panels"] if panel["type"] != "row"]
SHOWN = [
    (f"{name}: {panel['title']} {target['refId']}", target["expr"])
    for name, panel in PANELS
    for target in panel["targets"]
    if "expr" in target
] + [
    (f"{name}: annotation {each['name']}", each["expr"])
    for name, page in PAGES.items()
    for each in page["annotations"]["list"]
]
RULES = [
    (rule.get("alert") or rule["record"], rule["expr"])
    for group in yaml.safe_load((ROOT / "dashboards" / "prometheus-rules.yaml").read_text())["groups"]
    for rule in group["rules"]
]
CHOICES = [
    (f"{name}: {each['name']}", each["definition"])
    for name, page in PAGES.items()
    for each in page["templating"]["list"]
    if str(each.get("definition", "")).startswith("label_values")
]
SQL_PANELS = [panel for name, panel in PANELS if name == "evidence"]


@dataclass
class Told:
    """What Prometheus answered while the daemon ran, and where what it kept is."""

    database: str
    series: dict[str, int] = field(default_factory=dict)
    """Expression to the number of series that it gave."""
    values: dict[str, list[str]] = field(default_factory=dict)
    """Variable's query to the values that it offered."""


@pytest.fixture(scope="module")
def told(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A daemon probes both axes, is scraped, sees a regression and cannot deliver its alert; then all is asked."""
    folder = tmp_path_factory.mktemp("dashboards")
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE dashboards TEMPLATE template_recallwatch")
    found = Told(postgres_server.replace("/postgres?", "/dashboards?"))
    suites = small_suites(folder / "suites", one_in=7)
    with started("tests/word_retriever.py", str(folder / "suites")) as retriever:
        asyncio.run(_tell(found, folder, suites, retriever["url"]))
    with psycopg.connect(found.database, autocommit=True) as connection:
        connection.execute((ROOT / "dashboards" / "read-only.sql").read_text().encode())
    return found


async def _tell(found: Told, folder: Path, suites: dict[str, Path], retriever: str) -> None:
    async with AsyncExitStack() as running:
        daemon = await running.enter_async_context(_daemon(found.database, suites, retriever))
        watcher = await running.enter_async_context(prometheus(folder / "prometheus", daemon.url))
        client = await running.enter_async_context(httpx.AsyncClient())
        await promote_first_runs(daemon)
        await client.post(f"{retriever}/break", json={"share": 0.5})
        await until(lambda: watcher.query("recallwatch_incident_open == 1"))
        await until(lambda: watcher.query("recallwatch_outbox_oldest_timestamp_seconds"))
        await until(lambda: watcher.query("rate(recallwatch_incidents_total[30s])"))
        await _ask(found, watcher)


@asynccontextmanager
async def _daemon(database: str, suites: dict[str, Path], retriever: str) -> AsyncIterator[Daemon]:
    config = {
        "storage": {"url": database},
        "targets": {
            "docs": {
                "retriever": {"kind": "http", "url": f"{retriever}/search"},
                "answerer": {"kind": "http", "url": f"{retriever}/answer"},
            }
        },
        "suites": {name: {"path": str(path)} for name, path in suites.items()},
        "schedules": {"often": {"target": "docs", "suites": list(suites), "every": "500ms"}},
        "notifiers": {"nobody": {"kind": "webhook", "url": f"http://127.0.0.1:{free_port()}", "secret": SECRET}},
        "server": {"port": 0},
    }
    async with serving(wiring.assemble(validate(Config, config, where=""))) as daemon:
        yield daemon


SECRET = "whsec_" + "c2VjcmV0" * 4


async def _ask(found: Told, watcher: Prometheus) -> None:
    for _, expression in SHOWN:
        found.series[expression] = await _count(watcher, _chosen(expression))
    for _, expression in RULES:
        found.series[expression] = await _count(watcher, _without_threshold(expression))
    for _, query in CHOICES:
        series, label = re.fullmatch(r"label_values\((.+), (\w+)\)", query).groups()  # type: ignore[union-attr]  # it matches, or the test fails
        found.values[query] = await watcher.label_values(_chosen(series), label)


async def _count(watcher: Prometheus, expression: str) -> int:
    """How many series there are, when the last scrape was not one of the few that a busy machine let time out."""
    with suppress(TimeoutError):
        return len(await until(lambda: watcher.query(expression), patience_s=10))
    return 0


def _chosen(expression: str) -> str:
    """The expression as Grafana sends it when everything is chosen."""
    return re.sub(r"\$\w+", ".+", expression.replace("$__rate_interval", "30s"))


def _without_threshold(expression: str) -> str:
    """The expression of an alert that tells whether it fires, and so gives something while it does not."""
    return re.sub(r" (>|<|==) ", r" \1 bool ", expression.replace("absent(", "count("))


@pytest.mark.parametrize(("where", "expression"), SHOWN, ids=[where for where, _ in SHOWN])
def test_every_expression_of_a_dashboard_gives_something(told: Told, where: str, expression: str) -> None:
    """Prometheus parses and executes what each panel asks, and answers with at least one series."""
    assert told.series[expression] > 0, _chosen(expression)


@pytest.mark.parametrize(("where", "expression"), RULES, ids=[where for where, _ in RULES])
def test_every_expression_of_a_rule_has_data(told: Told, where: str, expression: str) -> None:
    """No alert is silent because a series that it compares does not exist."""
    assert told.series[expression] > 0, _without_threshold(expression)


@pytest.mark.parametrize(("where", "query"), CHOICES, ids=[where for where, _ in CHOICES])
def test_every_variable_offers_something(told: Told, where: str, query: str) -> None:
    """No dashboard opens with an empty choice."""
    assert told.values[query]


def test_both_axes_are_shown(told: Told) -> None:
    """The daemon of these tests really watched both sides of the trade-off."""
    panel = next(panel for name, panel in PANELS if panel["title"].startswith("Trade-off"))
    assert {axis for axis in Axis for target in panel["targets"] if f'axis="{axis}"' in target["expr"]} == set(Axis)


@pytest.fixture(scope="module")
def reader(told: Told) -> Iterator[psycopg.Connection[Any]]:
    """A connection as the role that Grafana has."""
    with psycopg.connect(told.database, user="recallwatch_reader", autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def chosen(reader: psycopg.Connection[Any]) -> dict[str, str]:
    """What a reader sees first: the first value that each variable offers."""
    found: dict[str, str] = {}
    for each in PAGES["evidence"]["templating"]["list"][1:]:
        row = reader.execute(_interpolated(each["query"], found)).fetchone()
        assert row is not None, each["query"]
        found[each["name"]] = row[-1]
    return found


def _interpolated(statement: str, values: dict[str, str]) -> bytes:
    """The statement as Grafana sends it."""
    filtered = re.sub(r"\$__timeFilter\((\w+)\)", r"\1 BETWEEN now() - interval '1 day' AND now()", statement)
    return re.sub(r"\$\{(\w+):sqlstring\}", lambda match: f"'{values[match[1]]}'", filtered).encode()


@pytest.mark.parametrize("panel", SQL_PANELS, ids=[panel["title"] for panel in SQL_PANELS])
def test_every_sql_panel_gives_something(
    reader: psycopg.Connection[Any], chosen: dict[str, str], panel: dict[str, Any]
) -> None:
    """PostgreSQL executes what each panel asks, as the read-only role, and answers with at least one row."""
    rows = reader.execute(_interpolated(panel["targets"][0]["rawSql"], chosen)).fetchall()
    assert rows


def test_the_first_choice_is_what_on_call_needs(reader: psycopg.Connection[Any], chosen: dict[str, str]) -> None:
    """Opened after a page, the dashboard shows the verdict that paged, and the baseline against the latest run."""
    row = reader.execute("SELECT verdict FROM dashboard.verdict WHERE verdict_id = %s", [chosen["verdict"]]).fetchone()
    assert row is not None
    assert row[0] in ("regressed", "trade_off")
    assert chosen["baseline"] != chosen["candidate"]


def test_a_query_that_lost_its_document_is_shown_with_it(
    reader: psycopg.Connection[Any], chosen: dict[str, str]
) -> None:
    """The difference of two runs names ranks before and after, and the document that is missing now."""
    rows = reader.execute(
        "SELECT rank_before, rank_now, missing_now FROM dashboard.compare(%s, %s, 'recall@10')"
        " WHERE value_before = 1 AND value_now = 0",
        [chosen["baseline"], chosen["candidate"]],
    ).fetchall()
    assert rows
    assert all(before <= 10 and now is None and missing for before, now, missing in rows)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM verdict",
        "SELECT * FROM suite_query",
        "SELECT * FROM alert",
        "BEGIN READ WRITE; DELETE FROM dashboard.verdict",
        "BEGIN READ WRITE; CREATE TABLE dashboard.mine (n integer)",
    ],
)
def test_the_reader_sees_its_views_and_changes_nothing(reader: psycopg.Connection[Any], statement: str) -> None:
    """The role of Grafana reaches no table, and writes nowhere even if it asks to."""
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute(statement.encode())
    reader.rollback()


def test_the_script_of_the_role_can_be_run_again(told: Told) -> None:
    """After an upgrade the same file brings the views up to date."""
    with psycopg.connect(told.database, autocommit=True) as connection:
        connection.execute((ROOT / "dashboards" / "read-only.sql").read_text().encode())
        count = connection.execute("SELECT count(*) FROM pg_views WHERE schemaname = 'dashboard'").fetchone()
    assert count is not None
    assert count[0] >= 7
