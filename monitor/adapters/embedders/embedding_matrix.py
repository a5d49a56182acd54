"""Convert the lists of numbers in a response into a matrix of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from monitor.errors import Reason, RetrieverError
from monitor.ports.targets import Vectors


def to_vectors(rows: list[Any], n_texts: int) -> Vectors:
    """Convert the rows to vectors. Raises RetrieverError unless each text has one row of finite numbers."""
    if len(rows) != n_texts:
        raise RetrieverError(Reason.MALFORMED, f"{len(rows)} vectors for {n_texts} texts")
    try:
        with np.errstate(over="ignore"):  # numbers that are too large become infinite and are refused below
            vectors = np.asarray(rows, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise RetrieverError(Reason.MALFORMED, "the vectors are not lists of numbers of equal length") from error
    if vectors.ndim != 2 or not vectors.size or not np.isfinite(vectors).all():
        raise RetrieverError(Reason.MALFORMED, "the vectors are not lists of finite numbers")
    return vectors
