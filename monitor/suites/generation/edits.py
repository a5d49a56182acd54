"""Text edits of a sentence. All offsets refer to the original sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from monitor.suites.generation.words import listed

if TYPE_CHECKING:
    from spacy.tokens import Span, Token


_NAMES = listed("PERSON ORG GPE LOC NORP FAC PRODUCT EVENT WORK_OF_ART LAW LANGUAGE")


class Edit(NamedTuple):
    """Replace the characters from ``start`` to ``end`` of a sentence by a text."""

    start: int
    end: int
    text: str


def replaced(first: Token, last: Token, text: str) -> Edit:
    """Replace two tokens and everything between them."""
    origin = first.sent.start_char
    return Edit(first.idx - origin, last.idx + len(last) - origin, text)


def inserted_before(token: Token, text: str) -> Edit:
    """Insert a text before a token."""
    place = token.idx - token.sent.start_char
    return Edit(place, place, f"{text} ")


def inserted_after(token: Token, text: str) -> Edit:
    """Insert a text after a token."""
    place = token.idx + len(token) - token.sent.start_char
    return Edit(place, place, f" {text}")


def applied(sentence: Span, edits: Sequence[Edit]) -> str:
    """The sentence after all edits, which must not overlap, with a capital first letter."""
    text = sentence.text
    for edit in sorted(edits, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text[:1].upper() + text[1:]


def uncapitalised(sentence: Span, text: str) -> str:
    """The start of a sentence in lower case, for use inside another sentence; names keep their capital."""
    first = sentence[0]
    is_named = first.ent_type_ in _NAMES and first.pos_ not in ("DET", "NUM")
    is_name = first.pos_ == "PROPN" or first.text == "I" or first.text[1:] != first.text[1:].lower()
    return text if is_name or is_named else text[:1].lower() + text[1:]


def subtree_of(token: Token) -> tuple[Token, Token]:
    """The leftmost and the rightmost token of a subtree."""
    return token.doc[token.left_edge.i], token.doc[token.right_edge.i]
