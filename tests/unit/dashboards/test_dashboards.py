"""The dashboards are what the code says, and hold to the rules of Grafana's dashboard-linter."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from dashboards.generate import DASHBOARDS, FOLDER, text_of
from tests.house.documents import ROOT, metrics

UNITS = {"none", "string", "short", "percentunit", "s", "reqps", "ops", "dateTimeFromNow"}
"""Those of the units that Grafana knows which these dashboards use."""
BUILT_IN = {"__rate_interval", "__timeFilter", "__field", "__url_time_range", "__all"}
Page = dict[str, Any]


@pytest.fixture(params=DASHBOARDS)
def page(request: pytest.FixtureRequest) -> Page:
    """Each dashboard as Grafana would read it."""
    found: Page = json.loads((FOLDER / f"{request.param}.json").read_text(encoding="utf-8"))
    return found


def panels(page: Page) -> Iterator[Page]:
    """The panels that show something."""
    yield from (each for each in page["panels"] if each["type"] != "row")


def expressions(page: Page) -> Iterator[str]:
    """Every PromQL expression of a dashboard."""
    for panel in panels(page):
        yield from (target["expr"] for target in panel["targets"] if "expr" in target)
    yield from (each["expr"] for each in page["annotations"]["list"])


def variables(page: Page) -> dict[str, Page]:
    """The choices that a dashboard offers, by name."""
    return {each["name"]: each for each in page["templating"]["list"]}


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_committed_dashboard_is_what_the_code_says(name: str) -> None:
    """Nobody edited the JSON by hand, or forgot to write it anew."""
    assert (FOLDER / f"{name}.json").read_text(encoding="utf-8") == text_of(name), "run `python -m dashboards.generate`"


def test_there_is_no_dashboard_that_no_code_writes() -> None:
    """The folder that Grafana is given holds the dashboards and nothing else."""
    assert {path.name for path in FOLDER.iterdir()} == {f"{name}.json" for name in DASHBOARDS}


def test_uids_are_stable_and_unique() -> None:
    """Links from pages and messages keep working: these names are a promise."""
    uids = [json.loads(text_of(name))["uid"] for name in DASHBOARDS]
    assert uids == [f"recallwatch-{name}" for name in ("overview", "target", "evidence", "answers", "daemon")]


def test_a_provisioned_dashboard_cannot_be_edited(page: Page) -> None:
    """template-uneditable-rule: what Grafana would not keep cannot be changed in it."""
    assert page["editable"] is False
    assert "id" not in page
    assert page["schemaVersion"] >= 39


def test_the_data_source_is_a_choice_and_everything_uses_it(page: Page) -> None:
    """template-datasource-rule and panel-datasource-rule: one variable, and no data source named anywhere else."""
    chosen = [each for each in page["templating"]["list"] if each["type"] == "datasource"]
    assert [(each["name"], each["label"]) for each in chosen] == [("datasource", "Data source")]
    users = [*panels(page), *page["annotations"]["list"], *variables(page).values()]
    users += [target for panel in panels(page) for target in panel["targets"]]
    found = {json.dumps(each["datasource"]) for each in users if each.get("type") != "datasource"}
    assert found == {json.dumps({"type": chosen[0]["query"], "uid": "${datasource}"})}


def test_every_panel_has_a_title_a_description_and_a_query(page: Page) -> None:
    """panel-title-description-rule and panel-no-targets-rule."""
    for panel in panels(page):
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["targets"], panel["title"]
    titles = [panel["title"] for panel in panels(page)]
    assert len(titles) == len(set(titles))


def test_every_panel_has_a_unit_that_grafana_knows(page: Page) -> None:
    """panel-units-rule: no reader has to guess whether 0.2 is a share or seconds."""
    assert {panel["fieldConfig"]["defaults"]["unit"] for panel in panels(page)} <= UNITS


def test_ids_are_unique_and_nothing_overlaps(page: Page) -> None:
    """Each panel has a place of its own in a grid of 24 columns."""
    ids = [panel["id"] for panel in page["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in page["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    assert all(
        [target["refId"] for target in panel["targets"]] == list("ABCDEFGH"[: len(panel["targets"])])
        for panel in panels(page)
    )


def test_every_variable_that_is_named_exists(page: Page) -> None:
    """No dangling reference: what a query, title or link names is a variable of the dashboard or Grafana's own."""
    named = set(re.findall(r"\$\{?(\w+)", json.dumps([page["panels"], page["annotations"], page["templating"]])))
    assert named - BUILT_IN <= variables(page).keys()


def test_every_variable_is_used(page: Page) -> None:
    """No choice is offered that changes nothing."""
    text = json.dumps([page["panels"], page["annotations"], page["templating"]])
    assert {name for name in variables(page) if not re.search(rf"\$\{{?{name}\b", text)} == set()


def test_queried_variables_follow_the_time_range(page: Page) -> None:
    """template-on-time-change-reload-rule."""
    assert {each["refresh"] for each in variables(page).values() if each["type"] == "query"} == {2}


def test_every_series_is_chosen_by_job_and_instance(page: Page) -> None:
    """template-job-rule, template-instance-rule, target-job-rule, target-instance-rule: two daemons do not mix."""
    for expression in expressions(page):
        selectors = re.findall(r"\b(?:recallwatch|scrape|up)\w*\b(?!\s*\()(\{[^}]*\})?", expression)
        assert selectors, expression
        assert all('job=~"$job"' in each and 'instance=~"$instance"' in each for each in selectors), expression


def test_counters_are_only_shown_as_rates_over_the_interval_that_fits(page: Page) -> None:
    """target-rate-interval-rule and target-counter-agg-rule."""
    for expression in expressions(page):
        assert set(re.findall(r"\[([^\]]+)\]", expression)) <= {"$__rate_interval"}
        for counter in re.finditer(r"\w+_(total|count|bucket)\{", expression):
            assert expression[: counter.start()].endswith("rate("), expression


def test_every_metric_that_is_shown_exists(page: Page) -> None:
    """No panel waits for a metric that the daemon does not show."""
    named = {
        re.sub(r"_(bucket|count|sum)$", "", name)
        for expression in expressions(page)
        for name in re.findall(r"recallwatch_\w+", expression)
    }
    assert {name for name in named if f"`{name}`" not in metrics()} == set()


def test_links_lead_to_a_dashboard_that_exists() -> None:
    """A link from one dashboard to another names its uid."""
    pages = [text_of(name) for name in DASHBOARDS]
    uids = {json.loads(page)["uid"] for page in pages}
    assert {uid for page in pages for uid in re.findall(r"/d/([\w-]+)", page)} <= uids


def test_the_provisioned_data_sources_are_those_that_the_dashboards_ask_for() -> None:
    """Grafana finds for each dashboard a data source of its kind."""
    file = ROOT / "dashboards" / "provisioning" / "datasources" / "recallwatch.yaml"
    provided = {each["type"] for each in yaml.safe_load(file.read_text())["datasources"]}
    wanted = {json.loads(text_of(name))["templating"]["list"][0]["query"] for name in DASHBOARDS}
    assert wanted == provided


def test_the_compose_file_mounts_what_exists() -> None:
    """Every file and folder that a container is given is there, but for the reader's own configuration."""
    services = yaml.safe_load((ROOT / "dashboards" / "compose.yaml").read_text())["services"]
    mounted = {volume.split(":")[0] for each in services.values() for volume in each.get("volumes", ())}
    files = {path for path in mounted if path.startswith("./")} - {"./recallwatch.yaml"}
    assert len(files) >= 5
    assert {path for path in files if not (ROOT / "dashboards" / path).exists()} == set()
