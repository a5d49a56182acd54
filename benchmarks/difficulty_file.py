"""Write measured difficulties into suite.yaml, where `monitor.suites.difficulty` reads them."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path

from monitor.suites.difficulty import Difficulties


def write_difficulties(folder: Path, difficulties: Difficulties) -> None:
    """Replace the key ``measured`` at the end of suite.yaml."""
    path = folder / "suite.yaml"
    head = re.sub(r"(?ms)^measured:\n(?:[ #].*?\n|\n)*", "", path.read_text(encoding="utf-8")).rstrip("\n")
    lines = [
        head,
        "measured:",
        f"  by: {difficulties.by}",
        f"  swap: {difficulties.swap}",
        f"  digest: {difficulties.digest}",
        "  strata:",
    ]
    for stratum, measures in difficulties.strata.items():
        lines.append(f"    {json.dumps(stratum) if ':' in stratum else stratum}:")
        for measure, difficulty in measures.items():
            values = ", ".join(f"{name}: {value:.4f}" for name, value in asdict(difficulty).items())
            lines.append(f"      {measure}: {{{values}}}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
