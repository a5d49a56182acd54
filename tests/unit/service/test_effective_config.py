"""`recallwatch config show`: every key with its value, and no secret."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.adapters import registry
from monitor.cli.config_show import show_config
from monitor.errors import ConfigError
from monitor.service.effective_config import MASK, effective_config

SECRET = "hunter2hunter2"


def written(folder: Path, config: dict[str, Any]) -> Path:
    """A configuration file with this content."""
    path = folder / "recallwatch.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def test_every_key_is_shown_with_its_value_or_default(tmp_path: Path):
    """Values appear as written, defaults for the rest, adapters with all their keys, and the default policy."""
    config = {
        "targets": {"docs": {"retriever": {"kind": "http", "url": "http://search:8000/v1"}, "owner": "search-team"}},
        "schedules": {"hourly": {"target": "docs", "suites": ["broad"], "every": "1h"}},
        "policies": {"strict": {"margin": 0.01}},
    }
    shown = effective_config(written(tmp_path, config))
    assert shown["targets"]["docs"]["retriever"]["url"] == "http://search:8000/v1"
    assert "concurrency" in shown["targets"]["docs"]["retriever"]
    assert shown["targets"]["docs"]["limits"]["breaker_after"] == 50
    assert shown["schedules"]["hourly"]["every"] == "1h"
    assert (shown["policies"]["strict"]["margin"], shown["policies"]["default"]["margin"]) == (0.01, 0.05)
    assert shown["suites"]["broad"] == {"path": "builtin:broad"}
    assert shown["server"]["port"] == 9464
    json.dumps(shown, allow_nan=False)


def test_values_from_the_environment_and_from_files_are_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Whatever came from ${ENV} is masked, in any key; of a secret in a file only the path is shown."""
    monkeypatch.setenv("PASSWORD", SECRET)
    file = tmp_path / "token"
    file.write_text(SECRET, encoding="utf-8")
    config = {
        "storage": {"url": "postgresql://ada:${PASSWORD}@db/watch"},
        "targets": {
            "docs": {
                "retriever": {
                    "kind": "http",
                    "url": "http://search/${PASSWORD}",
                    "request": {"query": "{query}", "tenant": "${PASSWORD}", "api_key": SECRET},
                    "headers": {"authorization": f"Bearer {SECRET}"},
                },
                "owner": "team ${PASSWORD}",
            }
        },
        "notifiers": {"on-call": {"kind": "webhook", "url": f"https://hooks/{SECRET}", "secret_file": str(file)}},
        "server": {"token_file": str(file), "dashboards_url": f"https://ada:{SECRET}@grafana/?token={SECRET}"},
    }
    file.write_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", encoding="utf-8")
    shown = effective_config(written(tmp_path, config))
    text = json.dumps(shown)
    assert SECRET not in text
    assert "whsec_" not in text
    assert shown["storage"]["url"] == f"postgresql://ada:{MASK}@db/watch"
    assert shown["targets"]["docs"]["owner"] == f"team {MASK}"
    assert shown["targets"]["docs"]["retriever"]["headers"] == {"authorization": MASK}
    assert shown["notifiers"]["on-call"]["url"] == f"https://hooks/{MASK}"
    assert shown["server"]["token_file"] == str(file)


def _secret_options() -> list[tuple[str, str, str]]:
    """Port, kind and key of every adapter option that may hold a secret."""
    return [
        (port, kind, key)
        for port, kinds in registry.BUILT_IN.items()
        if port != "embedder"
        for kind in kinds
        for key, field in registry.find(port, kind, where=port).Options.model_fields.items()
        if not field.repr and key not in ("embedder",)
    ]


@pytest.mark.parametrize(("port", "kind", "key"), _secret_options())
def test_no_secret_option_of_an_adapter_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: str, kind: str, key: str
):
    """Each option that adapters keep out of their logs is masked: texts, passwords in addresses, values of mappings."""
    monkeypatch.setattr("monitor.service.wiring.load", lambda path: None)  # other options may be missing here
    for value in (SECRET, f"https://ada:{SECRET}@host/?key={SECRET}", {"x": SECRET}, [SECRET]):
        adapter = {"kind": kind, key: value}
        config = (
            {"notifiers": {"on-call": adapter}}
            if port == "notifier"
            else {"targets": {"docs": {"retriever": {"kind": "http", "url": "http://s"}, port: adapter}}}
        )
        assert SECRET not in json.dumps(effective_config(written(tmp_path, config)))


def test_a_wrong_configuration_is_refused(tmp_path: Path):
    """Showing a configuration checks it first."""
    with pytest.raises(ConfigError, match=r"^server\.colour: unknown key"):
        effective_config(written(tmp_path, {"server": {"colour": "red"}}))


def test_the_text_is_yaml_of_the_same_values(tmp_path: Path):
    """What people read can be parsed again."""
    result = show_config(written(tmp_path, {"server": {"port": 0}}))
    (text,) = result.output
    assert yaml.safe_load(str(text)) == result.data
