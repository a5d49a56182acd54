"""A part of a suite for the fast demo: the whole corpus, and the queries of some clusters."""

from __future__ import annotations

import json
import shutil
import zlib
from pathlib import Path
from typing import Any


def sample_suite(source: Path, destination: Path, *, every: int) -> Path:
    """Write a suite with every n-th cluster of another one, drawn by a checksum of the cluster's name."""
    destination.mkdir(parents=True)
    for name in ("suite.yaml", "corpus.jsonl"):
        shutil.copy(source / name, destination / name)
    queries = [query for query in _rows(source / "queries.jsonl") if _number(query) % every == 0]
    ids = {query["_id"] for query in queries}
    _write(destination / "queries.jsonl", queries)
    if (source / "pairs.jsonl").exists():
        _write(destination / "pairs.jsonl", [row for row in _rows(source / "pairs.jsonl") if row["query_id"] in ids])
    (destination / "qrels").mkdir()
    head, *judgements = (source / "qrels" / "test.tsv").read_text(encoding="utf-8").splitlines()
    judged = [line for line in judgements if line.partition("\t")[0] in ids]
    (destination / "qrels" / "test.tsv").write_text("\n".join([head, *judged, ""]), encoding="utf-8")
    return destination


def _number(query: dict[str, Any]) -> int:
    return zlib.crc32(str(query["metadata"].get("cluster", query["_id"])).encode())


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
