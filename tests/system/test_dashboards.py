"""Every query of every dashboard and rule returns data, after a real daemon has detected a regression."""

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
NOT_OBSERVED = ("recallwatch_chain_", "recallwatch_hits_returned", 'axis="compositional", stratum="overall"')
"""Series that the observed run cannot have: its suites have no chains, its targets no threshold, one axis each."""
EXPRESSIONS = [
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
VARIABLES = [
    (f"{name}: {each['name']}", each["definition"])
    for name, page in PAGES.items()
    for each in page["templating"]["list"]
    if str(each.get("definition", "")).startswith("label_values")
]
SQL_PANELS = [panel for name, panel in PANELS if name == "evidence"]


@dataclass
class Observations:
    """Results of Prometheus queries while the daemon ran, and the URL of its database."""

    database: str
    series: dict[str, int] = field(default_factory=dict)
    """Expression to the number of its series."""
    values: dict[str, list[str]] = field(default_factory=dict)
    """Query of a variable to its values."""


@pytest.fixture(scope="module")
def observations(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Observations:
    """Results from a daemon that probes both axes, detects a regression and cannot deliver its alert."""
    folder = tmp_path_factory.mktemp("dashboards")
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE dashboards TEMPLATE template_recallwatch")
    results = Observations(postgres_server.replace("/postgres?", "/dashboards?"))
    suites = small_suites(folder / "suites", one_in=7)
    with started("tests/word_retriever.py", str(folder / "suites")) as retriever:
        asyncio.run(_observe(results, folder, suites, retriever["url"]))
    with psycopg.connect(results.database, autocommit=True) as connection:
        connection.execute((ROOT / "dashboards" / "read-only.sql").read_text().encode())
    return results


async def _observe(results: Observations, folder: Path, suites: dict[str, Path], retriever: str) -> None:
    async with AsyncExitStack() as running:
        daemon = await running.enter_async_context(_daemon(results.database, suites, retriever))
        watcher = await running.enter_async_context(prometheus(folder / "prometheus", daemon.url))
        client = await running.enter_async_context(httpx.AsyncClient())
        await promote_first_runs(daemon)
        await client.post(f"{retriever}/break", json={"share": 0.5})
        await until(lambda: watcher.query("recallwatch_incident_open == 1"))
        await until(lambda: watcher.query("recallwatch_outbox_oldest_timestamp_seconds"))
        await until(lambda: watcher.query("rate(recallwatch_incidents_total[30s])"))
        await _query_all(results, watcher)


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


async def _query_all(results: Observations, watcher: Prometheus) -> None:
    for _, expression in EXPRESSIONS:
        results.series[expression] = await _count(watcher, _with_every_option(expression))
    for _, expression in RULES:
        results.series[expression] = await _count(watcher, _without_threshold(expression))
    for _, query in VARIABLES:
        series, label = re.fullmatch(r"label_values\((.+), (\w+)\)", query).groups()  # type: ignore[union-attr]  # it matches, or the test fails
        results.values[query] = await watcher.label_values(_with_every_option(series), label)


async def _count(watcher: Prometheus, expression: str) -> int:
    """Number of series; retries, because a scrape can time out on a busy machine."""
    with suppress(TimeoutError):
        return len(await until(lambda: watcher.query(expression), patience_s=10))
    return 0


def _with_every_option(expression: str) -> str:
    """The expression as Grafana sends it with every option selected."""
    return re.sub(r"\$\w+", ".+", expression.replace("$__rate_interval", "30s"))


def _without_threshold(expression: str) -> str:
    """The expression of an alert with a result even while it does not fire."""
    return re.sub(r" (>|<|==) ", r" \1 bool ", expression.replace("absent(", "count("))


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS, ids=[where for where, _ in EXPRESSIONS])
def test_every_expression_of_a_dashboard_returns_data(observations: Observations, where: str, expression: str) -> None:
    """Prometheus executes the query of each panel and returns at least one series, if the run has what it shows."""
    if any(name in expression for name in NOT_OBSERVED):
        pytest.skip("the observed daemon has no chains, no threshold and no second axis of the same deployment")
    assert observations.series[expression] > 0, _with_every_option(expression)


@pytest.mark.parametrize(("where", "expression"), RULES, ids=[where for where, _ in RULES])
def test_every_expression_of_a_rule_has_data(observations: Observations, where: str, expression: str) -> None:
    """Every series in an alert's expression exists."""
    assert observations.series[expression] > 0, _without_threshold(expression)


@pytest.mark.parametrize(("where", "query"), VARIABLES, ids=[where for where, _ in VARIABLES])
def test_every_variable_has_values(observations: Observations, where: str, query: str) -> None:
    """No dashboard opens with an empty selection."""
    assert observations.values[query]


def test_both_axes_are_shown(observations: Observations) -> None:
    """The trade-off panel shows both axes."""
    panel = next(panel for name, panel in PANELS if panel["title"].startswith("Trade-off"))
    assert {axis for axis in Axis for target in panel["targets"] if f'axis="{axis}"' in target["expr"]} == set(Axis)


@pytest.fixture(scope="module")
def reader(observations: Observations) -> Iterator[psycopg.Connection[Any]]:
    """A connection with the role of Grafana."""
    with psycopg.connect(observations.database, autocommit=True) as owner:
        owner.execute("ALTER ROLE recallwatch_reader PASSWORD 'r3ader'")
    with psycopg.connect(
        observations.database, user="recallwatch_reader", password="r3ader", autocommit=True
    ) as connection:
        yield connection


@pytest.fixture(scope="module")
def selection(reader: psycopg.Connection[Any]) -> dict[str, str]:
    """The initial selection: the first value of each variable."""
    values: dict[str, str] = {}
    for variable in PAGES["evidence"]["templating"]["list"][1:]:
        row = reader.execute(_interpolated(variable["query"], values)).fetchone()
        assert row is not None, variable["query"]
        values[variable["name"]] = row[-1]
    return values


def _interpolated(statement: str, values: dict[str, str]) -> bytes:
    """The statement as Grafana sends it."""
    filtered = re.sub(r"\$__timeFilter\((\w+)\)", r"\1 BETWEEN now() - interval '1 day' AND now()", statement)
    return re.sub(r"\$\{(\w+):sqlstring\}", lambda match: f"'{values[match[1]]}'", filtered).encode()


@pytest.mark.parametrize("panel", SQL_PANELS, ids=[panel["title"] for panel in SQL_PANELS])
def test_every_sql_panel_returns_rows(
    reader: psycopg.Connection[Any], selection: dict[str, str], panel: dict[str, Any]
) -> None:
    """PostgreSQL executes the query of each panel with the read-only role and returns at least one row."""
    rows = reader.execute(_interpolated(panel["targets"][0]["rawSql"], selection)).fetchall()
    assert rows


def test_the_initial_selection_shows_the_page(reader: psycopg.Connection[Any], selection: dict[str, str]) -> None:
    """After a page, the dashboard opens with the paging verdict, the baseline and the latest run."""
    row = reader.execute(
        "SELECT verdict FROM dashboard.verdict WHERE verdict_id = %s", [selection["verdict"]]
    ).fetchone()
    assert row is not None
    assert row[0] in ("regressed", "trade_off")
    assert selection["baseline"] != selection["candidate"]


def test_a_query_that_lost_its_document_is_shown_with_it(
    reader: psycopg.Connection[Any], selection: dict[str, str]
) -> None:
    """The comparison of two runs has the ranks before and after, and the missing document."""
    rows = reader.execute(
        "SELECT rank_before, rank_now, missing_now FROM dashboard.compare(%s, %s, 'recall@10')"
        " WHERE value_before = 1 AND value_now = 0",
        [selection["baseline"], selection["candidate"]],
    ).fetchall()
    assert rows
    assert all(before <= 10 and now is None and missing for before, now, missing in rows)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM verdict",
        "SELECT * FROM suite_query",
        "SELECT * FROM alert",
        "BEGIN READ WRITE; DELETE FROM dashboard.swap",
        "BEGIN READ WRITE; CREATE TABLE dashboard.mine (n integer)",
    ],
)
def test_the_reader_can_only_read_its_views(reader: psycopg.Connection[Any], statement: str) -> None:
    """The role of Grafana can read no table and write nothing, even in a read-write transaction."""
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute(statement.encode())
    reader.rollback()


def test_the_script_of_the_role_can_be_run_again(observations: Observations) -> None:
    """The script can run again after an upgrade to update the views."""
    with psycopg.connect(observations.database, autocommit=True) as connection:
        connection.execute((ROOT / "dashboards" / "read-only.sql").read_text().encode())
        count = connection.execute("SELECT count(*) FROM pg_views WHERE schemaname = 'dashboard'").fetchone()
    assert count is not None
    assert count[0] >= 7
