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
    path.write_text(yaml.safe_dump({"notifiers": {"on-call": {"timeout": "5s", **options}}}))
    return path


def held(name: str, folder: Path, *states: str, fault: Fault | None = None) -> tuple[list[Result], Fake]:
    """What the command found in each state, and the fake."""

    async def run() -> tuple[list[Result], Fake]:
        async with SERVICES[name].running(*([fault] if fault else [])) as fake:
            path = configuration(folder, fake.options)
            return [await notify_test.hold(path, "on-call", state) for state in states], fake

    return asyncio.run(run())


@pytest.mark.parametrize("name", SERVICES)
def test_a_test_arrives_and_says_that_it_is_one(name, tmp_path):
    """Each service takes a test alert and its end, which are one incident there and not that of a target."""
    answers, fake = held(name, tmp_path, "firing", "resolved")
    assert [answer.exit_code for answer in answers] == [0, 0], fake.complaints
    first, second = fake.received
    assert first.key == second.key
    assert (first.is_closed, second.is_closed) == (False, True)
    assert "This is a test of the notifier on-call" in first.shown


@pytest.mark.parametrize("name", SERVICES)
def test_a_test_that_is_refused_says_why(name, tmp_path):
    """The reason is shown and the exit code says that it did not arrive; no secret is shown."""
    (answer,), _ = held(name, tmp_path, "firing", fault=Fault.REJECTS)
    assert answer.exit_code == 3
    assert answer.data["delivered"] is False
    assert answer.data["reason"] == "rejected"
    assert [secret for secret in SERVICES[name].secrets if secret in str(answer)] == []


def test_a_notifier_that_is_not_there_is_told_with_those_that_are(tmp_path):
    """A wrong name is a configuration error that lists the right ones."""
    path = configuration(tmp_path, {"kind": "teams", "url": "http://127.0.0.1:1/"})
    with pytest.raises(ConfigError, match="no notifier is called of-call; there are: on-call"):
        asyncio.run(notify_test.hold(path, "of-call", "firing"))


@pytest.mark.slow
@pytest.mark.parametrize("name", SERVICES)
def test_the_command_line_tells_whether_it_arrived(name, tmp_path):
    """Exit code 0 and one JSON object when the service took it, 3 and the reason when it did not."""

    async def run() -> list[subprocess.CompletedProcess[str]]:
        async with SERVICES[name].running(Fault.FORBIDS) as fake:
            configuration(tmp_path, fake.options)
            said = ("notify", "test", "on-call", "--json")
            refused = await asyncio.to_thread(command, *said, cwd=tmp_path, check=3)
            return [refused, await asyncio.to_thread(command, *said, "--state", "resolved", cwd=tmp_path)]

    refused, taken = (json.loads(each.stdout) for each in asyncio.run(run()))
    assert (refused["delivered"], refused["reason"]) == (False, "unauthorised")
    assert (taken["delivered"], taken["state"]) == (True, "resolved")
