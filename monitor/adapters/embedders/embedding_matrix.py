"""What every embedder over HTTP makes of the numbers in an answer."""

from __future__ import annotations

from typing import Any

import numpy as np

from monitor.errors import Reason, RetrieverError
from monitor.ports.targets import Vectors


def to_vectors(rows: list[Any], n_texts: int) -> Vectors:
    """The rows as vectors. Raises RetrieverError unless there is one of finite numbers for each text."""
    if len(rows) != n_texts:
        raise RetrieverError(Reason.MALFORMED, f"{len(rows)} vectors for {n_texts} texts")
    try:
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused
            vectors = np.asarray(rows, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise RetrieverError(Reason.MALFORMED, "the vectors are not lists of equally many numbers") from error
    if vectors.ndim != 2 or not vectors.size or not np.isfinite(vectors).all():
        raise RetrieverError(Reason.MALFORMED, "the vectors are not lists of finite numbers")
    return vectors
