"""Read hits from the return value of a Python callable, in any common form, into columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from monitor.adapters.retrievers.hits import Hits
from monitor.errors import Reason, RetrieverError

_IDS = ("id", "doc_id", "document_id", "_id", "id_", "node_id")
_TEXTS = ("text", "content", "page_content")
_METADATA = ("metadata", "meta")


def read_hits(result: Any, k: int, id_key: str | None, document_key: str | None, *, needs_text: bool) -> Hits:
    """Read the first ``k`` hits: ids, pairs of id and score, mappings, or documents of a library."""
    if isinstance(result, str | bytes | Mapping) or not isinstance(result, Iterable):
        raise RetrieverError(Reason.MALFORMED, f"expected a list of hits, not {type(result).__name__}")
    hits = list(result)[:k]
    scores = [_score(hit) for hit in hits]
    return Hits(
        doc_ids=[_id(hit, id_key) for hit in hits],
        scores=None if None in scores else scores,
        documents=[_lookup(_inner(hit), (document_key,)) for hit in hits] if document_key else None,
        texts=[_lookup(_inner(hit), _TEXTS) for hit in hits] if needs_text else None,
    )


def _id(hit: Any, key: str | None) -> Any:
    inner = _inner(hit)
    if isinstance(inner, str | int):
        return inner
    doc_id = _lookup(inner, (key,)) if key else _own_id(inner)
    # For example a UUID.
    return doc_id if isinstance(doc_id, str | int) or doc_id is None else str(doc_id)


def _own_id(document: Any) -> Any:
    """Return the id of the document; LangChain keeps it in the metadata unless the store sets one."""
    ids = (_get(document, name) for name in _IDS)
    return next((value for value in ids if value is not None), None) or _lookup(document, _IDS)


def _score(hit: Any) -> Any:
    if isinstance(hit, tuple | list):
        score = hit[1] if len(hit) > 1 else None
    else:
        score = None if isinstance(hit, str | int) else _lookup(hit, ("score", "similarity"))
    # numpy scalars
    plain = getattr(score, "item", None)
    return score if plain is None else plain()


def _inner(hit: Any) -> Any:
    """Return the document of a hit, without its score and the node wrapper of LlamaIndex."""
    document = hit[0] if isinstance(hit, tuple | list) and hit else hit
    return getattr(document, "node", document)


def _lookup(document: Any, names: Iterable[str]) -> Any:
    """Return the first value under these names in the metadata or the document."""
    mappings = [*(_get(document, name) for name in _METADATA), document]
    values = (_get(mapping, name) for name in names for mapping in mappings)
    return next((value for value in values if value is not None), None)


def _get(item: Any, name: str) -> Any:
    return item.get(name) if isinstance(item, Mapping) else getattr(item, name, None)
