"""The deployment recipes are valid, closed off, and configure what exists."""

import configparser
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.config.config import read_config

ROOT = Path(__file__).parents[2] / "examples" / "deployment"
DOCUMENTS = list(yaml.safe_load_all((ROOT / "kubernetes" / "recallwatch.yaml").read_text()))


def of_kind(kind: str) -> dict[str, Any]:
    """The manifest of a kind."""
    (document,) = [each for each in DOCUMENTS if each["kind"] == kind]
    return document


def test_the_configuration_of_the_manifests_is_valid(tmp_path: Path) -> None:
    """The ConfigMap holds a configuration that the daemon accepts."""
    path = tmp_path / "recallwatch.yaml"
    path.write_text(of_kind("ConfigMap")["data"]["recallwatch.yaml"])
    config = read_config(path, {"DATABASE_URL": "postgresql://ada:secret@db/watch"})
    pod = of_kind("Deployment")["spec"]["template"]["spec"]
    assert config.server.drain_timeout < pod["terminationGracePeriodSeconds"]
    assert config.server.port == pod["containers"][0]["ports"][0]["containerPort"]


@pytest.mark.parametrize("place", ["containers", "initContainers"])
def test_no_container_runs_as_root_or_writes_to_its_root(place: str) -> None:
    """Pods meet the restricted standard, with a read-only root file system and secrets as files."""
    pod = of_kind("Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["automountServiceAccountToken"] is False
    for container in pod[place]:
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert {each["name"] for each in container["volumeMounts"]} <= {each["name"] for each in pod["volumes"]}


def test_selectors_find_the_pods() -> None:
    """Service, disruption budget and network policy select the pods of the deployment."""
    labels = of_kind("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert of_kind("Service")["spec"]["selector"] == labels
    assert of_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels
    assert of_kind("NetworkPolicy")["spec"]["podSelector"]["matchLabels"] == labels


def test_the_unit_reports_its_state_to_systemd() -> None:
    """The unit waits for readiness, has a watchdog, and gives the drain its time."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(ROOT / "systemd" / "recallwatch.service")
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert int(service["WatchdogSec"]) > 0
    assert int(service["TimeoutStopSec"]) > 20
