"""Conversion of snapshots to rows and back: vectors as 32-bit little-endian floats in base64, rankings as lists."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

import numpy as np

from monitor.model.runs import Ranking
from monitor.model.snapshots import Embedded, Snapshot

_PARTS = ("queries", "stored", "encoded")
_RANKINGS = ("echoes", "replayed")


def snapshot_to_json(snapshot: Snapshot) -> dict[str, Any]:
    """The vectors, echoes and replays of a snapshot as plain values."""
    parts: dict[str, Any]
    parts = {name: _to_json(part) for name in _PARTS if (part := getattr(snapshot, name)) is not None}
    for name in _RANKINGS:
        if rankings := getattr(snapshot, name):
            parts[name] = {key: [each.doc_ids, each.scores] for key, each in rankings.items()}
    return {"depth": snapshot.depth, **parts}


def snapshot_from_json(stored: dict[str, Any]) -> Snapshot:
    """The vectors, echoes and replays of a snapshot, as they were saved."""
    queries, documents, encoded = (_from_json(stored.get(name)) for name in _PARTS)
    echoes, replayed = (_rankings(stored.get(name, {})) for name in _RANKINGS)
    return Snapshot(
        rankings={},
        depth=stored["depth"],
        queries=queries,
        stored=documents,
        encoded=encoded,
        echoes=echoes,
        replayed=replayed,
    )


def _rankings(stored: dict[str, Any]) -> dict[str, Ranking]:
    return {
        key: Ranking(doc_ids=tuple(doc_ids), scores=None if scores is None else tuple(scores))
        for key, (doc_ids, scores) in stored.items()
    }


def _to_json(part: Embedded) -> dict[str, Any]:
    vectors = np.asarray(part.vectors, "<f4")
    return {"ids": list(part.ids), "size": vectors.shape[1], "rows": b64encode(vectors.tobytes()).decode()}


def _from_json(stored: dict[str, Any] | None) -> Embedded | None:
    if stored is None:
        return None
    rows = np.frombuffer(b64decode(stored["rows"]), "<f4").reshape(len(stored["ids"]), stored["size"])
    return Embedded(tuple(stored["ids"]), rows)
