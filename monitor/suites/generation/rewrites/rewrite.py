"""A sentence that contradicts its original, and the structure that its parse must have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from monitor.suites.generation.draft import Refusal
from monitor.suites.generation.edits import Edit, applied

if TYPE_CHECKING:
    from spacy.tokens import Span

Holds = Callable[["Span"], bool]
"""Whether the parse of the rewritten sentence has the intended structure."""


class Rewrite(NamedTuple):
    """The violating sentence."""

    text: str
    rule: str
    start: int
    end: int
    """``start`` and ``end`` are the offsets of the change in the original sentence."""
    holds: Holds
    keeps_subject: bool = True
    """Whether the determiner of the subject is unchanged, so that a question can ask for the subject."""


Outcome = Rewrite | Refusal | None
"""None if the rewrite does not apply to the sentence."""


def rewritten(sentence: Span, edits: Sequence[Edit], rule: str, holds: Holds, *, keeps_subject: bool = True) -> Rewrite:
    """The sentence after its edits."""
    start, end = min(edit.start for edit in edits), max(edit.end for edit in edits)
    return Rewrite(applied(sentence, edits), rule, start, end, holds, keeps_subject)


def labels(sentence: Span) -> list[str]:
    """The dependency labels of a sentence in order, without punctuation."""
    return [token.dep_ for token in sentence if not token.is_punct]
