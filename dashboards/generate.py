"""The Grafana dashboards: ``python -m dashboards.generate`` writes them to ``dashboards/grafana``."""

from __future__ import annotations

import json
from pathlib import Path

from dashboards import answers, daemon, evidence, overview, target, trade_off

FOLDER = Path(__file__).parent / "grafana"
DASHBOARDS = {
    "overview": overview.dashboard,
    "target": target.dashboard,
    "trade-off": trade_off.dashboard,
    "evidence": evidence.dashboard,
    "answers": answers.dashboard,
    "daemon": daemon.dashboard,
}


def text_of(name: str) -> str:
    """The text of a dashboard's file."""
    return json.dumps(DASHBOARDS[name](), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in DASHBOARDS:
        (FOLDER / f"{name}.json").write_text(text_of(name), encoding="utf-8")
