"""`recallwatch notify test`: each notifier against the fake of its service."""

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.cli import notify_test
from monitor.cli.result import Result
from monitor.errors import ConfigError
from tests.conftest import command
from tests.contract.fakes import SERVICES, Fake, Fault


def configuration(folder: Path, options: dict[str, Any]) -> Path:
    """A configuration with one notifier."""
    path = folder / "recallwatch.yaml"
    path.write_text(yaml.safe_dump({"notifiers": {"on-call": {"timeout": "60s", **options}}}))
    return path


def sent(name: str, folder: Path, *states: str, fault: Fault | None = None) -> tuple[list[Result], Fake]:
    """The result of the command for each state, and the fake."""

    async def run() -> tuple[list[Result], Fake]:
        async with SERVICES[name].running(*([fault] if fault else [])) as fake:
            path = configuration(folder, fake.options)
            return [await notify_test.send_test(path, "on-call", state) for state in states], fake

    return asyncio.run(run())


@pytest.mark.parametrize("name", SERVICES)
def test_a_test_alert_arrives_and_is_marked_as_a_test(name, tmp_path):
    """Each service accepts a test alert and its resolution as one incident, separate from those of targets."""
    results, fake = sent(name, tmp_path, "firing", "resolved")
    assert [result.exit_code for result in results] == [0, 0], fake.complaints
    first, second = fake.received
    assert first.key == second.key
    assert (first.is_closed, second.is_closed) == (False, True)
    assert "This is a test of the notifier on-call" in first.as_text


@pytest.mark.parametrize("name", SERVICES)
def test_a_rejected_test_alert_shows_the_reason(name, tmp_path):
    """The result has the reason, the exit code of a failed delivery, and no secret."""
    (result,), _ = sent(name, tmp_path, "firing", fault=Fault.REJECTS)
    assert result.exit_code == 3
    assert result.data["delivered"] is False
    assert result.data["reason"] == "rejected"
    assert [secret for secret in SERVICES[name].secrets if secret in str(result)] == []


def test_an_unknown_notifier_is_an_error_that_lists_the_known_ones(tmp_path):
    """A wrong name is a configuration error that lists the configured names."""
    path = configuration(tmp_path, {"kind": "teams", "url": "http://127.0.0.1:1/"})
    with pytest.raises(ConfigError, match='unknown notifier "of-call"; known notifiers: on-call'):
        asyncio.run(notify_test.send_test(path, "of-call", "firing"))


@pytest.mark.slow
@pytest.mark.parametrize("name", SERVICES)
def test_the_command_reports_whether_the_alert_was_delivered(name, tmp_path):
    """The command prints one JSON object and exits with 0 if the service accepted the alert, else with 3."""

    async def run() -> list[subprocess.CompletedProcess[str]]:
        async with SERVICES[name].running(Fault.FORBIDS) as fake:
            configuration(tmp_path, fake.options)
            arguments = ("notify", "test", "on-call", "--json")
            failure = await asyncio.to_thread(command, *arguments, cwd=tmp_path, check=3)
            return [failure, await asyncio.to_thread(command, *arguments, "--state", "resolved", cwd=tmp_path)]

    failure, success = (json.loads(each.stdout) for each in asyncio.run(run()))
    assert (failure["delivered"], failure["reason"]) == (False, "unauthorised")
    assert (success["delivered"], success["state"]) == (True, "resolved")
