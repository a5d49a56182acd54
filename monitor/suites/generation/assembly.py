"""Write generated queries as a suite, with a review file in which a person accepts or rejects each query."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from monitor.model.suites import Qrel
from monitor.suites.formats import beir
from monitor.suites.formats.collection import Answer, Collection, Destination, Topic, hashed_id
from monitor.suites.generation import review
from monitor.suites.generation.draft import Draft


def query_id_of(draft: Draft) -> str:
    """An id derived from document and query, so that it does not change when other queries are added or removed."""
    return hashed_id(f"{draft.kind}-", f"{draft.doc_id}\x1f{draft.text}")


def write(folder: Path, drafts: Sequence[Draft], head: Mapping[str, Any], corpus: Path | None) -> None:
    """Write the suite. ``corpus`` is a corpus.jsonl to copy unchanged."""
    topics = tuple(map(_topic, drafts))
    qrels = tuple(Qrel(query_id_of(draft), draft.doc_id, 1) for draft in drafts if draft.quote is None)
    passages = tuple(_passage(draft) for draft in drafts if draft.quote is not None)
    beir.write(Collection(topics=topics, qrels=qrels, passages=passages, head=head), Destination(folder))
    if corpus is not None:
        shutil.copyfile(corpus, folder / "corpus.jsonl")
    review.write(folder, _review_lines(drafts))


def _topic(draft: Draft) -> Topic:
    answers = tuple(map(Answer, draft.answers))
    metadata = {"provenance": draft.provenance}
    return Topic(
        query_id=query_id_of(draft),
        text=draft.text,
        stratum=draft.kind,
        cluster=draft.doc_id,
        answers=answers,
        metadata=metadata,
    )


def _passage(draft: Draft) -> dict[str, Any]:
    place = {"doc_id": draft.doc_id, "start": draft.start, "end": draft.end}
    return {"query_id": query_id_of(draft), **place, "quote": draft.quote, "grade": 1}


def _review_lines(drafts: Iterable[Draft]) -> Iterable[review.Line]:
    for draft in drafts:
        yield review.Line(query_id_of(draft), draft.kind, draft.text, draft.quote or f"document {draft.doc_id}", "")
