"""The documents that are written from the code. `python -m tests.house.documents` writes them anew."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prometheus_client.metrics_core import Metric

from monitor.adapters import registry
from monitor.adapters.exporters.prometheus import Metrics
from monitor.config.config import Config
from monitor.model.glossary import GLOSSARY
from monitor.service.webhook_schema import webhook_schema

ROOT = Path(__file__).parents[2]
START, END = "<!-- glossary: from monitor/model/glossary.py -->\n", "<!-- end of glossary -->"


def readme() -> str:
    """README.md with the glossary of the model in its place."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    before, rest = text.split(START)
    _, after = rest.split(END)
    rows = "\n".join(f"| **{word}** | {meaning} |" for word, meaning in GLOSSARY.items())
    return f"{before}{START}| word | meaning |\n|---|---|\n{rows}\n{END}{after}"


def metrics() -> str:
    """docs/metrics.md: every family that the exporter knows."""
    families = sorted(Metrics().families(), key=lambda family: family.name)
    rows = "\n".join(f"| `{_exposed(family)}` | {family.type} | {family.documentation} |" for family in families)
    return (
        "# Metrics\n\nWhat the daemon shows at `/metrics`. Written from the code; a test keeps them equal.\n\n"
        "| metric | type | what it says |\n|---|---|---|\n"
        f"{rows}\n\n"
        "Labels: `target`, `suite`, `axis`, `stratum` (or `overall`), `k`, `role` (`candidate` or `baseline`),\n"
        "`measure`, `scorer`, `component`, `zone`, `of`, `verdict`, `reason`, `notifier`, `state`, `schedule`,\n"
        "`policy`, `outcome`, `deployment`, `version`. None is a query, a document or a run.\n"
    )


def _exposed(family: Metric) -> str:
    return family.name + {"counter": "_total", "info": "_info"}.get(family.type, "")


def configuration() -> str:
    """docs/configuration.md: every key with its default and meaning."""
    parts = ["# Configuration\n\nEvery key of `recallwatch.yaml`. Written from the code; a test keeps them equal.\n"]
    schema = Config.model_json_schema()
    parts.append(_section("The file", schema))
    parts += [_section(f"`{name}`", each) for name, each in schema["$defs"].items() if "properties" in each]
    for port in registry.BUILT_IN:
        for kind in registry.BUILT_IN[port]:
            options = registry.find(port, kind, where=port).Options.model_json_schema()
            parts.append(_section(f"{port.capitalize()} `kind: {kind}`", options))
            nested = options.get("$defs", {}).items()
            parts += [_section(f"`{name}`", each) for name, each in nested if "properties" in each]
    return "\n".join(parts)


def _section(title: str, schema: dict[str, Any]) -> str:
    needed = schema.get("required", [])
    rows = "\n".join(
        f"| `{key}` | {'required' if key in needed else _default(each)} | {_meaning(each)} |"
        for key, each in schema["properties"].items()
    )
    about = (schema.get("description") or "").split("\n\n")[0].replace("\n", " ")
    return f"## {title}\n\n{about}\n\n| key | default | meaning |\n|---|---|---|\n{rows}\n"


def _default(field: dict[str, Any]) -> str:
    value = field.get("default")
    return "" if value is None else f"`{value}`".replace("|", "\\|")


def _meaning(field: dict[str, Any]) -> str:
    return " ".join(str(field.get("description", "")).replace("``", "`").split())


def webhook() -> str:
    """docs/notifications/webhook.schema.json: the messages of the webhook notifier."""
    return json.dumps(webhook_schema(), indent=2) + "\n"


DOCUMENTS: dict[str, Callable[[], str]] = {
    "README.md": readme,
    "docs/metrics.md": metrics,
    "docs/configuration.md": configuration,
    "docs/notifications/webhook.schema.json": webhook,
}

if __name__ == "__main__":
    for name, write in DOCUMENTS.items():
        (ROOT / name).write_text(write(), encoding="utf-8")
