"""The demo, with its real model, reports the measured facts."""

import json
from pathlib import Path

import pytest

from tests.conftest import command

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800)]


def test_the_demo_measures_alerts_and_resolves(tmp_path: Path) -> None:
    """A real model is swapped without an announcement; the drop is measured, paged and resolved."""
    # The demo gives up by itself once probes stop; an idle machine takes some two minutes.
    result = json.loads(command("demo", "--json", cwd=tmp_path, timeout_s=1_700).stdout)
    assert result["detected"]
    assert result["alert_delivered"]
    assert result["resolved"]
    assert result["verdict"] in ("regressed", "trade_off")
    overall = {(each["axis"], each["measure"]): each for each in result["differences"] if each["stratum"] == "overall"}
    assert overall["broad", "ndcg@10"]["upper"] < 0
    assert result["cosine_to_near_misses"]["cosine_after"] < result["cosine_to_near_misses"]["cosine_before"]
    assert set(result["seconds"]) == {"service", "daemon", "baseline", "swap", "detection", "recovery"}
    assert list(tmp_path.iterdir()) == []
