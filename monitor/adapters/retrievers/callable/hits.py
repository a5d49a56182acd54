"""Read hits from the return value of a Python callable, in any common form, into columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from monitor.adapters.retrievers.hits import Hits
from monitor.errors import Reason, RetrieverError

_IDS = ("id", "doc_id", "document_id", "_id", "id_", "node_id", "corpus_id", "pid")
_TEXTS = ("text", "content", "page_content")
_METADATA = ("metadata", "meta")
_LISTS = ("documents", "source_documents", "source_nodes", "context", "hits", "results", "passages", "nodes")
"""Keys with the hits, in the return value of a chain or a pipeline."""


def read_hits(result: Any, k: int, id_key: str | None, document_key: str | None, *, needs_text: bool) -> Hits:
    """Read the first ``k`` hits: ids, pairs of id and score, mappings, or documents of a library."""
    hits = _list_of(result)[:k]
    scores = [_score(hit) for hit in hits]
    return Hits(
        doc_ids=[_id(hit, id_key) for hit in hits],
        scores=None if None in scores else scores,
        documents=[_lookup(_inner(hit), (document_key,)) for hit in hits] if document_key else None,
        texts=[_lookup(_inner(hit), _TEXTS) for hit in hits] if needs_text else None,
    )


def fields_of(result: Any, k: int) -> list[dict[str, Any]]:
    """The fields of the first ``k`` hits, with those of their metadata."""
    return [_fields(_inner(hit)) for hit in _list_of(result)[:k]]


def _list_of(result: Any) -> list[Any]:
    """The hits in a return value: a list, or the list under a usual key of a mapping or an object."""
    if not isinstance(result, str | bytes | Mapping) and isinstance(result, Iterable):
        hits = list(result)
        # sentence-transformers' semantic_search returns one list for each query.
        return hits[0] if len(hits) == 1 and isinstance(hits[0], list) and _are_mappings(hits[0]) else hits
    lists = (_get(result, name) for name in _LISTS)
    inner = next((each for each in lists if isinstance(each, list | tuple)), None)
    if inner is None:
        keys = f" with the keys {', '.join(map(str, result))}" if isinstance(result, Mapping) else ""
        raise RetrieverError(Reason.MALFORMED, f"expected a list of hits, not {type(result).__name__}{keys}")
    return list(inner)


def _are_mappings(values: Iterable[Any]) -> bool:
    return all(isinstance(value, Mapping) for value in values)


def _fields(document: Any) -> dict[str, Any]:
    own = document if isinstance(document, Mapping) else {name: _get(document, name) for name in (*_IDS, *_METADATA)}
    metadata = [value for name in _METADATA if isinstance(value := own.get(name), Mapping)]
    return {key: value for fields in (own, *metadata) for key, value in fields.items() if key not in _METADATA}


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
    if isinstance(item, Mapping) and name not in item and "." in name:
        key, _, rest = name.partition(".")
        return _get(item.get(key), rest)
    return item.get(name) if isinstance(item, Mapping) else getattr(item, name, None)
