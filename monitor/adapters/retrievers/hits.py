"""Convert the hits of a target into a ranking, or raise the failure of the probe."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from monitor.config.section import Section
from monitor.errors import Reason, RetrieverError
from monitor.model.passages import Sources
from monitor.model.runs import Ranking

LONGEST_ID = 2_048
"""Characters. A longer document id is a text in the wrong field."""
LONGEST_NAME = 200
"""Characters of the name of a deployment or corpus that are kept."""
_UNSTORABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
"""Control characters break lines and tables, PostgreSQL refuses U+0000, and lone surrogates are not UTF-8."""


class RankingOptions(Section):
    """How the hits of a target become a ranking."""

    short_rankings: Literal["fail", "accept"] = "fail"
    """Whether fewer than ``k`` hits are a failure (``fail``, reason ``malformed``) or valid (``accept``)."""
    duplicates: Literal["refuse", "first"] = "refuse"
    """Whether a document that is returned twice is a failure (``refuse``, reason ``malformed``) or keeps its best rank
    (``first``), for indexes of chunks that return the id of their document."""


STRICT = RankingOptions()


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
    hits: Hits,
    k: int,
    options: RankingOptions = STRICT,
    *,
    deployment: str | None = None,
    corpus: str | None = None,
    remedy: str = "",
) -> Ranking:
    """Build a ranking of at most ``k`` hits. Raises RetrieverError for malformed hits.

    ``remedy`` is how to raise the number of hits in the target; the message about too few of them contains it.
    """
    doc_ids = _as_ids(hits.doc_ids, "document id")
    if len(doc_ids) < k and options.short_rankings == "fail":
        raise RetrieverError(Reason.MALFORMED, _too_few(len(doc_ids), k, remedy))
    if len(set(doc_ids)) != len(doc_ids):
        if options.duplicates == "refuse":
            raise RetrieverError(Reason.MALFORMED, _repeated(doc_ids))
        hits = _first_of_each(hits, doc_ids)
        doc_ids = tuple(dict.fromkeys(doc_ids))
    return Ranking(
        doc_ids=doc_ids,
        scores=_scores(hits.scores),
        deployment=storable_name(deployment),
        sources=_sources(hits),
        texts=_texts(hits.texts),
        corpus=storable_name(corpus),
    )


def storable_name(name: str | None) -> str | None:
    """A name that the target reports, of bounded length and without characters that cannot be stored."""
    return None if name is None else _UNSTORABLE.sub("\ufffd", name[:LONGEST_NAME])


def _too_few(n_hits: int, k: int, remedy: str) -> str:
    counts = f"{n_hits} of {k} requested hits"
    accept = "if this is expected, set short_rankings: accept"
    return f"{counts}; {remedy}, or {accept}" if remedy else f"{counts}; {accept}, or limits.max_k if k is too large"


def _repeated(doc_ids: Sequence[str]) -> str:
    n_repeated = len(doc_ids) - len(set(doc_ids))
    return (
        f"the ranking contains a document twice ({n_repeated} of {len(doc_ids)} hits repeat an id); if hits are chunks "
        "with the id of their document, set duplicates: first"
    )


def _first_of_each(hits: Hits, doc_ids: Sequence[str]) -> Hits:
    """The hits without those that repeat an earlier id."""
    first_rows = sorted({doc_id: row for row, doc_id in reversed(list(enumerate(doc_ids)))}.values())
    columns = {field.name: getattr(hits, field.name) for field in fields(hits)}
    return replace(
        hits, **{name: [values[row] for row in first_rows] for name, values in columns.items() if values is not None}
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
    ids = tuple(values) if kinds == {str} else tuple(map(str, values))
    longest = max(map(len, ids), default=0)
    if longest > LONGEST_ID:
        raise RetrieverError(Reason.MALFORMED, f"a {noun} has {longest:,} characters; is it a text?")
    if _UNSTORABLE.search("".join(ids)):
        raise RetrieverError(Reason.MALFORMED, f"a {noun} has a control character, which cannot be stored")
    return ids


def _is_span(start: int, end: int) -> bool:
    return 0 <= start <= end
