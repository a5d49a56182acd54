"""A sentence that says otherwise than the one it was made of, and how its own parse must look."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from monitor.suites.generation.draft import Refusal
from monitor.suites.generation.edits import Edit, applied

if TYPE_CHECKING:
    from spacy.tokens import Span

Holds = Callable[["Span"], bool]
"""Whether the parse of the rewritten sentence has the structure that was meant."""


class Rewrite(NamedTuple):
    """The violating sentence."""

    text: str
    rule: str
    start: int
    end: int
    """What was changed, in characters of the sentence as it was."""
    holds: Holds
    keeps_subject: bool = True
    """Whether what was changed stands outside the determiner of the subject, so that a question can ask for it."""


Outcome = Rewrite | Refusal | None
"""None where a sentence has nothing of the kind."""


def rewritten(sentence: Span, edits: Sequence[Edit], rule: str, holds: Holds, *, keeps_subject: bool = True) -> Rewrite:
    """The sentence with its edits."""
    start, end = min(edit.start for edit in edits), max(edit.end for edit in edits)
    return Rewrite(applied(sentence, edits), rule, start, end, holds, keeps_subject)


def labels(sentence: Span) -> list[str]:
    """The relations of a sentence's words in their order."""
    return [token.dep_ for token in sentence if not token.is_punct]
