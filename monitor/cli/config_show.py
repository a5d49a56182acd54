"""`recallwatch config show`: the effective configuration, secrets masked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.cli.result import Result
from monitor.cli.terminal import DEFAULT_CONFIG, AsJson, ConfigPath, finish

if TYPE_CHECKING:
    from pathlib import Path


def config_show(config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Print the effective configuration with all defaults; secrets are masked."""
    finish(show_config(config), as_json)


def show_config(path: Path) -> Result:
    """The effective configuration, secrets masked."""
    import yaml
    from rich.text import Text

    from monitor.service.effective_config import effective_config

    data = effective_config(path)
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=1_000).rstrip("\n")
    return Result([Text(text, no_wrap=True, overflow="ignore")], data)
