"""The committed dashboards match their code and follow the rules of Grafana's dashboard-linter."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from dashboards.generate import DASHBOARDS, FOLDER, text_of
from tests.house.documents import ROOT, metrics

UNITS = {"none", "string", "short", "percentunit", "s", "reqps", "ops", "dateTimeFromNow"}
"""Grafana units that these dashboards use."""
BUILT_IN = {"__rate_interval", "__timeFilter", "__field", "__url_time_range", "__all"}
Page = dict[str, Any]


@pytest.fixture(params=DASHBOARDS)
def page(request: pytest.FixtureRequest) -> Page:
    """Each dashboard as Grafana would read it."""
    dashboard: Page = json.loads((FOLDER / f"{request.param}.json").read_text(encoding="utf-8"))
    return dashboard


def panels(page: Page) -> Iterator[Page]:
    """The panels with content."""
    yield from (each for each in page["panels"] if each["type"] != "row")


def expressions(page: Page) -> Iterator[str]:
    """Every PromQL expression of a dashboard."""
    for panel in panels(page):
        yield from (target["expr"] for target in panel["targets"] if "expr" in target)
    yield from (each["expr"] for each in page["annotations"]["list"])


def variables(page: Page) -> dict[str, Page]:
    """The variables of a dashboard, by name."""
    return {each["name"]: each for each in page["templating"]["list"]}


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_committed_dashboard_equals_its_code(name: str) -> None:
    """The JSON was generated from the current code, not edited by hand."""
    assert (FOLDER / f"{name}.json").read_text(encoding="utf-8") == text_of(name), "run `python -m dashboards.generate`"


def test_every_committed_dashboard_has_code() -> None:
    """The folder that Grafana reads contains only generated dashboards."""
    assert {path.name for path in FOLDER.iterdir()} == {f"{name}.json" for name in DASHBOARDS}


def test_uids_are_stable_and_unique() -> None:
    """Links from pages and messages keep working, because the uids never change."""
    uids = [json.loads(text_of(name))["uid"] for name in DASHBOARDS]
    assert uids == [
        f"recallwatch-{name}" for name in ("overview", "target", "trade-off", "evidence", "answers", "daemon")
    ]


def test_a_provisioned_dashboard_cannot_be_edited(page: Page) -> None:
    """template-uneditable-rule: a provisioned dashboard cannot be edited, because Grafana would lose the changes."""
    assert page["editable"] is False
    assert "id" not in page
    assert page["schemaVersion"] >= 39


def test_every_panel_and_variable_uses_the_selected_data_source(page: Page) -> None:
    """template-datasource-rule and panel-datasource-rule: one variable selects the data source of the dashboard."""
    selectors = [each for each in page["templating"]["list"] if each["type"] == "datasource"]
    assert [(each["name"], each["label"]) for each in selectors] == [("datasource", "Data source")]
    users = [*panels(page), *page["annotations"]["list"], *variables(page).values()]
    users += [target for panel in panels(page) for target in panel["targets"]]
    sources = {json.dumps(each["datasource"]) for each in users if each.get("type") != "datasource"}
    assert sources == {json.dumps({"type": selectors[0]["query"], "uid": "${datasource}"})}


def test_every_panel_has_a_title_a_description_and_a_query(page: Page) -> None:
    """panel-title-description-rule and panel-no-targets-rule."""
    for panel in panels(page):
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["targets"], panel["title"]
    titles = [panel["title"] for panel in panels(page)]
    assert len(titles) == len(set(titles))


def test_every_panel_has_a_unit_that_grafana_knows(page: Page) -> None:
    """panel-units-rule: a value of 0.2 is shown as a share or as seconds, never without a unit."""
    assert {panel["fieldConfig"]["defaults"]["unit"] for panel in panels(page)} <= UNITS


def test_ids_are_unique_and_nothing_overlaps(page: Page) -> None:
    """Panels do not overlap in the grid of 24 columns."""
    ids = [panel["id"] for panel in page["panels"]]
    assert len(ids) == len(set(ids))
    occupied: set[tuple[int, int]] = set()
    for panel in page["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & occupied, panel["title"]
        occupied |= cells
    assert all(
        [target["refId"] for target in panel["targets"]] == list("ABCDEFGHI"[: len(panel["targets"])])
        for panel in panels(page)
    )


def test_every_referenced_variable_exists(page: Page) -> None:
    """A query, title or link references only variables of the dashboard or of Grafana."""
    references = set(re.findall(r"\$\{?(\w+)", json.dumps([page["panels"], page["annotations"], page["templating"]])))
    assert references - BUILT_IN <= variables(page).keys()


def test_every_variable_is_used(page: Page) -> None:
    """Every variable of a dashboard affects a query, title or link."""
    text = json.dumps([page["panels"], page["annotations"], page["templating"]])
    assert {name for name in variables(page) if not re.search(rf"\$\{{?{name}\b", text)} == set()


def test_queried_variables_follow_the_time_range(page: Page) -> None:
    """template-on-time-change-reload-rule: queried variables reload when the time range changes."""
    assert {each["refresh"] for each in variables(page).values() if each["type"] == "query"} == {2}


def test_every_series_is_selected_by_job_and_instance(page: Page) -> None:
    """template-job, template-instance, target-job and target-instance-rule: series of two daemons are not mixed."""
    for expression in expressions(page):
        selectors = re.findall(r"\b(?:recallwatch|scrape|up)\w*\b(?!\s*\()(\{[^}]*\})?", expression)
        assert selectors, expression
        assert all('job=~"$job"' in each and 'instance=~"$instance"' in each for each in selectors), expression


def test_counters_are_shown_only_as_rates_over_the_rate_interval(page: Page) -> None:
    """target-rate-interval-rule and target-counter-agg-rule: counters appear only inside rate()."""
    for expression in expressions(page):
        assert set(re.findall(r"\[([^\]]+)\]", expression)) <= {"$__rate_interval"}
        for counter in re.finditer(r"\w+_(total|count|bucket)\{", expression):
            assert expression[: counter.start()].endswith("rate("), expression


def test_every_displayed_metric_exists(page: Page) -> None:
    """Every panel uses metrics that the daemon exports."""
    names = {
        re.sub(r"_(bucket|count|sum)$", "", name)
        for expression in expressions(page)
        for name in re.findall(r"recallwatch_\w+", expression)
    }
    assert {name for name in names if f"`{name}`" not in metrics()} == set()


def test_links_lead_to_existing_dashboards() -> None:
    """A link from one dashboard to another uses an existing uid."""
    pages = [text_of(name) for name in DASHBOARDS]
    uids = {json.loads(page)["uid"] for page in pages}
    assert {uid for page in pages for uid in re.findall(r"/d/([\w-]+)", page)} <= uids


def test_the_provisioned_data_sources_match_the_dashboards() -> None:
    """Every dashboard has a provisioned data source of its kind."""
    file = ROOT / "dashboards" / "provisioning" / "datasources" / "recallwatch.yaml"
    provided = {each["type"] for each in yaml.safe_load(file.read_text())["datasources"]}
    required = {json.loads(text_of(name))["templating"]["list"][0]["query"] for name in DASHBOARDS}
    assert required == provided


def test_the_compose_file_mounts_existing_files() -> None:
    """Every mounted file and folder exists, except the user's configuration."""
    services = yaml.safe_load((ROOT / "dashboards" / "compose.yaml").read_text())["services"]
    mounted = {volume.split(":")[0] for each in services.values() for volume in each.get("volumes", ())}
    files = {path for path in mounted if path.startswith("./")} - {"./recallwatch.yaml"}
    assert len(files) >= 5
    assert {path for path in files if not (ROOT / "dashboards" / path).exists()} == set()
