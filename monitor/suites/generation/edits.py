"""Changing a sentence in places, all counted in the sentence as it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from monitor.suites.generation.words import listed

if TYPE_CHECKING:
    from spacy.tokens import Span, Token


_NAMES = listed("PERSON ORG GPE LOC NORP FAC PRODUCT EVENT WORK_OF_ART LAW LANGUAGE")


class Edit(NamedTuple):
    """What stands between two characters of a sentence becomes something else."""

    start: int
    end: int
    text: str


def replaced(first: Token, last: Token, text: str) -> Edit:
    """Two tokens, and all between them, become a text."""
    origin = first.sent.start_char
    return Edit(first.idx - origin, last.idx + len(last) - origin, text)


def inserted_before(token: Token, text: str) -> Edit:
    """A text comes to stand before a token."""
    place = token.idx - token.sent.start_char
    return Edit(place, place, f"{text} ")


def inserted_after(token: Token, text: str) -> Edit:
    """A text comes to stand after a token."""
    place = token.idx + len(token) - token.sent.start_char
    return Edit(place, place, f" {text}")


def applied(sentence: Span, edits: Sequence[Edit]) -> str:
    """The sentence with all edits, which do not overlap, and with a capital at its beginning."""
    text = sentence.text
    for edit in sorted(edits, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text[:1].upper() + text[1:]


def uncapitalised(sentence: Span, text: str) -> str:
    """What began a sentence, as it stands within one; names keep their capital."""
    first = sentence[0]
    is_named = first.ent_type_ in _NAMES and first.pos_ not in ("DET", "NUM")
    is_name = first.pos_ == "PROPN" or first.text == "I" or first.text[1:] != first.text[1:].lower()
    return text if is_name or is_named else text[:1].lower() + text[1:]


def subtree_of(token: Token) -> tuple[Token, Token]:
    """The first and the last token of all that hangs on one."""
    return token.doc[token.left_edge.i], token.doc[token.right_edge.i]
