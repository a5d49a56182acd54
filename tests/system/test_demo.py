"""The demo, with its real model, tells the truth about itself."""

import json
from pathlib import Path

import pytest

from tests.conftest import command

pytestmark = pytest.mark.slow


def test_the_demo_measures_alerts_and_resolves(tmp_path: Path) -> None:
    """A real model is swapped without a word; the drop is measured, paged and resolved, and it took under 3 minutes."""
    told = json.loads(command("demo", "--json", cwd=tmp_path).stdout)
    assert told["detected"]
    assert told["alert_delivered"]
    assert told["resolved"]
    assert told["verdict"] in ("regressed", "trade_off")
    overall = {(each["axis"], each["measure"]): each for each in told["differences"] if each["stratum"] == "overall"}
    assert overall["broad", "ndcg@10"]["upper"] < 0
    assert told["cosine_to_near_misses"]["cosine_after"] < told["cosine_to_near_misses"]["cosine_before"]
    assert set(told["seconds"]) == {"service", "daemon", "baseline", "swap", "detection", "recovery"}
    assert list(tmp_path.iterdir()) == []
