"""The Prometheus rules are valid, by Prometheus' own tool, and name metrics that exist."""

import re
import subprocess

import pytest

from tests.house.documents import ROOT, metrics

pytestmark = pytest.mark.slow
RULES = ROOT / "dashboards" / "prometheus-rules.yaml"


def test_promtool_accepts_the_rules() -> None:
    """`promtool check rules` finds nothing wrong."""
    checked = subprocess.run(["promtool", "check", "rules", str(RULES)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_metric_in_the_rules_exists() -> None:
    """No rule waits for a metric that the daemon does not show."""
    named = set(re.findall(r"recallwatch_\w+", RULES.read_text()))
    assert named
    assert {name for name in named if f"`{name}`" not in metrics()} == set()
