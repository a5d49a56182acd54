"""The demo, with its real model, reports the measured facts."""

import json
from pathlib import Path

import pytest

from tests.conftest import command

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800)]


def test_the_demo_names_the_trade_off_and_resolves_it_by_a_forward_fix(tmp_path: Path) -> None:
    """A real model is swapped without an announcement: trade-off, page, a fix that is not bit-exact, resolved."""
    # The demo gives up by itself once probes stop; an idle machine takes some three minutes.
    result = json.loads(command("demo", "--json", cwd=tmp_path, timeout_s=1_700).stdout)
    assert result["verdict"] == "trade_off"
    assert result["advice"] == "roll back"
    assert result["detected"]
    assert "Meanwhile compositional separation rose" in result["summary"]
    assert "this is the trade-off of training for structure." in result["summary"]
    assert all(each["cause"].startswith("the embedding model changed") for each in result["causes"])
    assert result["alert_delivered"]
    assert [each["verdict"] for each in result["forward_fix"]] == ["passed", "passed"]
    assert all(0.05 < each["rankings_changed"]["broad"] < 0.9 for each in result["forward_fix"])
    assert result["resolved"]
    evidence = {(each["axis"], each["stratum"], each["measure"]): each for each in result["differences"]}
    assert evidence["broad", "overall", "ndcg@10"]["upper"] < 0
    assert evidence["compositional", "phenomena", "separation"]["lower"] > 0
    assert result["cosine_to_near_misses"]["cosine_after"] < result["cosine_to_near_misses"]["cosine_before"]
    steps = {"service", "daemon", "baseline", "swap", "detection", "fix", "recovery_1", "recovery_2"}
    assert set(result["seconds"]) == steps
    assert list(tmp_path.iterdir()) == []
