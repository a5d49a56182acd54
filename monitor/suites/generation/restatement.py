"""What somebody would ask who looks for what a sentence says, made by rule from its parse."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from monitor.suites.generation.edits import uncapitalised
from monitor.suites.generation.grammar import children, is_denied, subject_of
from monitor.suites.generation.words import FUNCTION_WORDS

if TYPE_CHECKING:
    from spacy.tokens import Span, Token

_ARTICLES = frozenset({"the", "a", "an", "these", "our"})


class Question(NamedTuple):
    """A question, and how it was made."""

    text: str
    rule: str


def question_about(sentence: Span, *, may_ask_subject: bool) -> Question:
    """Which one does it, where the subject can be asked for; else where it is said."""
    if may_ask_subject and (asked := _subject_question(sentence)):
        return asked
    said = uncapitalised(sentence, sentence.text.rstrip(". "))
    return Question(f"Where does it say that {said}?", "asks where the sentence is said")


def _subject_question(sentence: Span) -> Question | None:
    """The sentence with “which” for the article of its subject: “Which tenants pay the deposit?”."""
    subject = subject_of(sentence)
    if subject is None or not _can_be_asked_for(subject):
        return None
    articles, first = children(subject, "det"), sentence.doc[subject.left_edge.i]
    start = first.idx - sentence.start_char
    before, after = sentence.text[:start], sentence.text[start + (len(first) if articles else 0) :]
    if before.strip() and not before.rstrip().endswith(","):
        return None
    after = after.strip().rstrip(". ")
    if not articles and not before:
        after = uncapitalised(sentence, after)
    text = f"{before}which {after}?"
    return Question(text[:1].upper() + text[1:], "asks for the subject with “which”")


def _can_be_asked_for(subject: Token) -> bool:
    """Whether one of several can be meant: things in the plural, or a thing with an article."""
    if subject.pos_ != "NOUN" or children(subject, "conj", "poss", "nummod") or is_denied(subject.subtree):
        return False
    if children(subject.head, "attr"):  # “which excess is 150 crowns” asks for nothing
        return False
    first, articles = subject.doc[subject.left_edge.i], children(subject, "det")
    if not articles:
        return subject.tag_ == "NNS" and first.pos_ in ("NOUN", "ADJ", "PROPN") and first.lower_ not in FUNCTION_WORDS
    return articles == [first] and first.lower_ in _ARTICLES
