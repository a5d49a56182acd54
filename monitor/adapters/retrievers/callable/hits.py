"""What Python code gives back as hits, in any of the shapes that are in use, as columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from monitor.adapters.retrievers.hits import Hits
from monitor.errors import Reason, RetrieverError

_IDS = ("id", "doc_id", "document_id", "_id", "id_", "node_id")
_TEXTS = ("text", "content", "page_content")
_METADATA = ("metadata", "meta")


def read_hits(found: Any, k: int, id_key: str | None, document_key: str | None, *, is_text_asked: bool) -> Hits:
    """The first ``k`` hits: ids, pairs of id and score, mappings, or documents of a library."""
    if isinstance(found, str | bytes | Mapping) or not isinstance(found, Iterable):
        raise RetrieverError(Reason.MALFORMED, f"a list of hits was expected, not {type(found).__name__}")
    hits = list(found)[:k]
    scores = [_score(hit) for hit in hits]
    return Hits(
        [_id(hit, id_key) for hit in hits],
        None if None in scores else scores,
        [_named(_inner(hit), (document_key,)) for hit in hits] if document_key else None,
        texts=[_named(_inner(hit), _TEXTS) for hit in hits] if is_text_asked else None,
    )


def _id(hit: Any, key: str | None) -> Any:
    inner = _inner(hit)
    if isinstance(inner, str | int):
        return inner
    named = _named(inner, (key,)) if key else _own_id(inner)
    # A UUID is an id like any other.
    return named if isinstance(named, str | int) or named is None else str(named)


def _own_id(document: Any) -> Any:
    """The id of the document itself; LangChain keeps it in the metadata unless the store gives one."""
    own = (_get(document, name) for name in _IDS)
    return next((value for value in own if value is not None), None) or _named(document, _IDS)


def _score(hit: Any) -> Any:
    if isinstance(hit, tuple | list):
        score = hit[1] if len(hit) > 1 else None
    else:
        score = None if isinstance(hit, str | int) else _named(hit, ("score", "similarity"))
    # Numbers of numpy are no plain ones, but know how to become such.
    plain = getattr(score, "item", None)
    return score if plain is None else plain()


def _inner(hit: Any) -> Any:
    """The document of a hit: without its score, and without the wrapper that LlamaIndex puts around it."""
    document = hit[0] if isinstance(hit, tuple | list) and hit else hit
    return getattr(document, "node", document)


def _named(document: Any, names: Iterable[str]) -> Any:
    """The value of the first of these names that the document or its metadata has."""
    places = [*(_get(document, name) for name in _METADATA), document]
    values = (_get(place, name) for name in names for place in places)
    return next((value for value in values if value is not None), None)


def _get(place: Any, name: str) -> Any:
    return place.get(name) if isinstance(place, Mapping) else getattr(place, name, None)
