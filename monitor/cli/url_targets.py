"""Targets on the command line: names of the configuration, or URLs of retrievers."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from monitor.config.config import Config, Target
from monitor.config.init_template import DEFAULT_CONFIG
from monitor.errors import ConfigError
from monitor.service import wiring


def load_with_targets(path: Path, *targets: str) -> wiring.CheckedConfig:
    """The configuration, with a target added for each URL. If all targets are URLs, no file is needed."""
    urls = [target for target in targets if target.startswith(("http://", "https://"))]
    for url in urls:
        if "@" in urlsplit(url).netloc:  # the URL becomes the target's name, which is stored, printed and exported
            raise ConfigError(
                "target", "a URL with credentials cannot name a target; write the target into a configuration"
            )
    needs_no_file = path == DEFAULT_CONFIG and not path.exists() and len(urls) == len(targets)
    config = Config() if needs_no_file else wiring.load(path).config
    by_url = {url: Target(retriever={"kind": "http", "url": url}) for url in urls}
    return wiring.assemble(config.model_copy(update={"targets": {**config.targets, **by_url}}))
