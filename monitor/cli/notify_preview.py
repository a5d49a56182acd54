"""`recallwatch notify preview`: what each notifier sends about stored incidents, without sending it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.result import Result
from monitor.cli.terminal import DEFAULT_CONFIG, AsJson, ConfigPath, finish, perform
from monitor.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from monitor.model.alerts import Alert
    from monitor.ports.store import Store


def notify_preview(
    incident: Annotated[
        str | None, typer.Argument(help="The id of an incident, or the beginning of it; by default the latest one.")
    ] = None,
    all_kinds: Annotated[
        bool,
        typer.Option("--all", help="The latest regression, trade-off, missing data and resolved incident instead."),
    ] = False,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to write.")] = Path("notifications"),
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Write the message of every kind of notifier about stored incidents, and a picture of the mail with Chromium."""
    finish(perform(preview(config, incident, all_kinds, output)), as_json)


async def preview(path: Path, prefix: str | None, all_kinds: bool, output: Path) -> Result:
    """Post each alert to a receiver on this machine, and write down what arrived."""
    from monitor.cli.preview_receiver import messages_of
    from monitor.service import wiring

    config = wiring.load(path).config
    async with wiring.open_store(config) as store:
        alerts = await _latest_of_each_kind(store) if all_kinds else {"incident": await _latest(store, prefix)}
    written = []
    for name, alert in alerts.items():
        for file_name, content in (await messages_of(alert, config.on_call.links)).items():
            file = output / name / file_name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            written.append(file)
    pictures, note = _pictures(file for file in written if file.suffix == ".html")
    lines = [str(file) for file in (*written, *pictures)]
    missing = [name for name in KINDS if all_kinds and name not in alerts]
    lines += [f"[yellow]no stored incident: {', '.join(missing)}[/]"] if missing else []
    lines += [f"[yellow]{note}[/]"] if note else []
    return Result([*lines], {"files": [str(file) for file in (*written, *pictures)], "missing": missing})


KINDS = ("regression", "trade_off", "no_data", "resolved")


async def _latest(store: Store, prefix: str | None) -> Alert:
    from monitor.cli.identifiers import incident_id_of

    incidents = await store.list_incidents(limit=1)
    if prefix is None and not incidents:
        raise StoreError("no incident is stored; `recallwatch notify test NAME` sends a test message")
    incident_id = incidents[0].incident_id if prefix is None else await incident_id_of(store, prefix)
    alerts = await store.alerts_of(incident_id)
    if not alerts:
        raise StoreError(f"incident {incident_id} sent no message")
    return alerts[-1]


async def _latest_of_each_kind(store: Store) -> dict[str, Alert]:
    """The latest stored alert of each kind."""
    alerts = [
        alert for each in await store.list_incidents(limit=200) for alert in await store.alerts_of(each.incident_id)
    ]
    by_kind: dict[str, Alert] = {}
    for alert in sorted(alerts, key=lambda each: each.created_at):
        data = alert.payload["data"]
        is_regression = data["kind"] == "regression" and data["verdict"] == "regressed"
        kinds = {
            "regression": alert.state == "firing" and is_regression,
            "trade_off": alert.state == "firing" and data["verdict"] == "trade_off",
            "no_data": alert.state == "firing" and data["kind"] == "no_data",
            "resolved": alert.state == "resolved" and data["kind"] == "regression",
        }
        by_kind |= {name: alert for name, is_it in kinds.items() if is_it}
    if not by_kind:
        raise StoreError("no incident is stored; `recallwatch demo` makes some")
    return by_kind


def _pictures(pages: Iterable[Path]) -> tuple[list[Path], str]:
    """A picture of each HTML page, and a note if there is no browser to draw them."""
    import shutil
    import subprocess

    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        return [], "no picture of the mail was drawn: install chromium"
    pictures = []
    for page in pages:
        picture = page.with_suffix(".png")
        command = [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--window-size=740,1700",
        ]
        command += [f"--screenshot={picture.absolute()}", page.absolute().as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)  # noqa: S603 - found by its name
        pictures.append(picture)
    return pictures, ""


def example_options(url: str) -> Mapping[str, dict[str, str]]:
    """Options of every kind of notifier over HTTP with a receiver at this address; the keys are examples."""
    return {
        "webhook": {"url": url, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
        "slack": {"url": url},
        "slack_bot": {"api_url": f"{url}chat.postMessage", "token": "xoxb-example", "channel": "C0123456789",
                      "signing_secret": "example"},
        "pagerduty": {"url": url, "change_url": url, "routing_key": "0" * 32},
        "alertmanager": {"url": url},
        "teams": {"url": url},
        "grafana_oncall": {"url": url},
    }  # fmt: skip
