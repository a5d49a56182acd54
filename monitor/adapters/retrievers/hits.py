"""Convert the hits of a target into a ranking, or raise the failure of the probe."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from monitor.errors import Reason, RetrieverError
from monitor.model.passages import Sources
from monitor.model.runs import Ranking

ShortRankings = Literal["fail", "accept"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """Hits of one query as columns, best first. A column is None if it was not requested."""

    doc_ids: Sequence[Any]
    scores: Sequence[Any] | None = None
    documents: Sequence[Any] | None = None
    starts: Sequence[Any] | None = None
    ends: Sequence[Any] | None = None
    texts: Sequence[Any] | None = None


def to_ranking(
    hits: Hits, k: int, *, short: ShortRankings = "fail", deployment: str | None = None, corpus: str | None = None
) -> Ranking:
    """Build a ranking of at most ``k`` hits. Raises RetrieverError for malformed hits."""
    doc_ids = _as_ids(hits.doc_ids, "document id")
    if len(set(doc_ids)) != len(doc_ids):
        raise RetrieverError(Reason.MALFORMED, "the ranking contains a document twice")
    if len(doc_ids) < k and short == "fail":
        raise RetrieverError(
            Reason.MALFORMED,
            f"{len(doc_ids)} of {k} requested hits; if this is expected, set short_rankings: accept",
        )
    return Ranking(
        doc_ids=doc_ids,
        scores=_scores(hits.scores),
        deployment=deployment,
        sources=_sources(hits),
        texts=_texts(hits.texts),
        corpus=corpus,
    )


def _sources(hits: Hits) -> Sources | None:
    if hits.documents is None:
        return None
    documents = _as_ids(hits.documents, "source document")
    if hits.starts is None or hits.ends is None:
        return Sources(documents)
    starts, ends = tuple(hits.starts), tuple(hits.ends)
    if not {*map(type, starts), *map(type, ends)} <= {int} or not all(map(_is_span, starts, ends)):
        raise RetrieverError(Reason.MALFORMED, "the start or end of a hit is not a valid offset")
    return Sources(documents, starts, ends)


def _texts(texts: Sequence[Any] | None) -> tuple[str, ...] | None:
    if texts is None:
        return None
    if not {*map(type, texts)} <= {str}:
        raise RetrieverError(Reason.MALFORMED, "a hit has no text at the path of text")
    return tuple(texts)


def _scores(scores: Sequence[Any] | None) -> tuple[float, ...] | None:
    if not scores or scores[0] is None:
        return None
    kinds = {*map(type, scores)}
    if not kinds <= {int, float} or not all(map(math.isfinite, scores)):
        raise RetrieverError(Reason.MALFORMED, "a score is not a finite number")
    return tuple(scores) if kinds == {float} else tuple(map(float, scores))


def _as_ids(values: Sequence[Any], noun: str) -> tuple[str, ...]:
    kinds = {*map(type, values)}
    if not kinds <= {str, int} or "" in values:
        raise RetrieverError(Reason.MALFORMED, f"a hit has no {noun}")
    return tuple(values) if kinds == {str} else tuple(map(str, values))


def _is_span(start: int, end: int) -> bool:
    return 0 <= start <= end
