"""Rule-based questions that a sentence answers, made from its dependency parse."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from monitor.suites.generation.edits import uncapitalised
from monitor.suites.generation.grammar import children, is_negated, subject_of
from monitor.suites.generation.words import FUNCTION_WORDS

if TYPE_CHECKING:
    from spacy.tokens import Span, Token

_ARTICLES = frozenset({"the", "a", "an", "these", "our"})


class Question(NamedTuple):
    """A question and the rule that produced it."""

    text: str
    rule: str


def question_about(sentence: Span, *, can_ask_for_subject: bool) -> Question:
    """Ask for the subject with “which” where possible, else ask where the sentence can be found."""
    if can_ask_for_subject and (question := _subject_question(sentence)):
        return question
    statement = uncapitalised(sentence, sentence.text.rstrip(". "))
    return Question(f"Where does it say that {statement}?", "asks where the sentence is found")


def _subject_question(sentence: Span) -> Question | None:
    """Replace the article of the subject by “which”: “Which tenants pay the deposit?”."""
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
    """Whether “which” makes sense for the subject: a plural noun, or a noun with an article."""
    if subject.pos_ != "NOUN" or children(subject, "conj", "poss", "nummod") or is_negated(subject.subtree):
        return False
    if children(subject.head, "attr"):  # “which excess is 150 crowns” is not a question that people ask
        return False
    first, articles = subject.doc[subject.left_edge.i], children(subject, "det")
    if not articles:
        return subject.tag_ == "NNS" and first.pos_ in ("NOUN", "ADJ", "PROPN") and first.lower_ not in FUNCTION_WORDS
    return articles == [first] and first.lower_ in _ARTICLES
