"""Detection of empty answers and of abstentions: texts that state that they do not answer."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from monitor.evaluation.answers.polarity import is_negative, stance
from monitor.evaluation.answers.quantities import has_any_figure_of, has_figure_like
from monitor.evaluation.answers.refusals import is_denial, is_filler, is_refusal, is_topic, may_refuse, written_out
from monitor.evaluation.answers.tokens import cached, words

OPENING = 800
"""Characters at the start of an answer that are searched for refusals."""

_SENTENCE = re.compile(r"(?<=[.!?;])[\"”)\]]*\s+|\n+|\s+[—–-]\s+")
_CLAUSE = re.compile(
    r",\s+|:\s+|[()]|\s(?=(?:but|however|although|though|yet|nevertheless|while|aber|jedoch|mais|pero|aunque|whereas)\b)",
    re.IGNORECASE,
)
_CONTRAST = re.compile(
    r"(?:but|however|although|though|yet|nevertheless|while|aber|jedoch|mais|pero|aunque|whereas)\b\W*", re.IGNORECASE
)
_CITATION = re.compile(r"\[[\w ,.-]{1,20}\]")
_NAME = re.compile(
    r"(?<![.,:;!?] )(?<!^)\b[A-ZÀ-Þ][\w'’-]*|\b[A-ZÀ-Þ][\w'’-]*(?= (?:[A-ZÀ-Þ]|is|was|has|had|and)\b|\W*$|\W* , )"
)
_EMPTY = frozenset(
    words(
        "a an the of to in on at by for from with and or is are was were be been it its this that these those i you we "
        "they he she as not no yes there do does did has have had can could will would may might should who which what "
        "where when why how if than then so about any some context document passage text source information answer "
        "question perhaps maybe possibly probably according based note only each every all both many most other others "
        "one"
    )
)


class Clause(NamedTuple):
    """A part of a sentence."""

    text: str
    plain: str
    """The text in lower case without contractions."""
    has_contrast: bool
    """Whether it begins with “but” or a similar word."""


class Reading(NamedTuple):
    """The clauses of an answer without its refusals."""

    refuses: bool
    """Whether a clause states that the answer is missing."""
    denies: bool
    """Whether a clause states that something is not stated or not available."""
    content: tuple[str, ...]
    """Clauses that state something."""
    topics: tuple[str, ...]
    """Clauses about the topics of a source."""


def is_empty(text: str) -> bool:
    """Whether the answer has no content: no letter, digit or symbol.

    Examples
    --------
    >>> is_empty(" … "), is_empty("€")
    (True, False)
    """
    return not any(unicodedata.category(character)[0] in "LMNS" for character in text)


def is_abstention(text: str, references: Sequence[str] = ()) -> bool:
    """Whether the answer states that it does not answer, and nothing else in it answers.

    A text that refuses (“I do not know”, “the context does not mention it”) is an answer all the same if the rest of
    it has words, numbers or names of a reference, or figures or names where a reference has some. So a caveat beside
    an answer is part of the answer. Apologies, advice and lists of the topics of a source do not answer. A refusal
    that repeats a reference is an answer too. Without references, the rest answers if it states anything.

    Examples
    --------
    >>> is_abstention("I'm sorry, the context doesn't mention the fee.")
    True
    >>> is_abstention("I don't know the exact day, but it was in March 1914.")
    False
    >>> is_abstention("14 days; the document does not mention weekends.", ["14 days"])
    False
    >>> is_abstention("The document covers invoices. It doesn't mention contracts.", ["5 years"])
    True
    """
    reading = _read(text)
    if not (reading.refuses or reading.denies):
        return False
    if not reading.refuses and any(map(is_negative, references)):
        return False
    if any(_repeats(text, reference) for reference in references):
        return False
    if not references:
        return not reading.content
    return not any(_answers(reading, reference) for reference in references)


@cached
def _read(text: str) -> Reading:
    sentences = [_clauses(sentence) for sentence in _SENTENCE.split(_CITATION.sub(" ", text[:OPENING]))]
    plain_clauses = [clause.plain for clauses in sentences for clause in clauses if may_refuse(clause.plain)]
    refusals = set(filter(is_refusal, plain_clauses))
    denials = set(filter(is_denial, plain_clauses)) - refusals
    if not refusals and not denials:
        return Reading(refuses=False, denies=False, content=(), topics=())
    content: list[str] = []
    topics: list[str] = []
    for clauses in sentences:
        is_in_topic = False
        for clause in clauses:
            is_in_topic = is_topic(clause.plain) or (is_in_topic and not clause.has_contrast)
            if clause.plain in refusals or clause.plain in denials:
                continue
            if is_in_topic:
                topics.append(clause.text)
            elif not is_filler(clause.plain):
                content.append(clause.text)
    return Reading(bool(refusals), bool(denials), tuple(content), tuple(topics))


def _clauses(sentence: str) -> list[Clause]:
    clauses = []
    for part in _CLAUSE.split(sentence):
        contrast = _CONTRAST.match(part)
        text = part[contrast.end() :] if contrast else part
        clauses.append(Clause(text, written_out(text), contrast is not None))
    return clauses


def _repeats(text: str, reference: str) -> bool:
    """Whether the answer has all words of a reference that refuses or denies something itself."""
    plain = written_out(reference)
    denies = (may_refuse(plain) and (is_refusal(plain) or is_denial(plain))) or is_negative(reference)
    return denies and stance(reference).lead is None and set(words(reference)) <= set(words(text))


def _answers(reading: Reading, reference: str) -> bool:
    """Whether the clauses that do not refuse answer as the reference does, correctly or not."""
    remaining = " , ".join((*reading.content, *reading.topics))
    content = " , ".join(reading.content)
    if has_any_figure_of(reference, remaining) or _names(reference) & set(words(remaining)):
        return True
    lead = stance(reference).lead
    if lead is not None:
        return bool(words(content))
    if (has_figure := has_figure_like(reference, content)) is not None:
        return has_figure or bool(_names(reference) and _names(content))
    if _names(reference):
        return bool(_names(content)) or bool((set(words(reference)) - _EMPTY) & set(words(content)))
    return bool(set(words(content)) - _EMPTY)


def _names(text: str) -> set[str]:
    """The words with a capital letter, in lower case, without common ones."""
    return {match[0].lower() for match in _NAME.finditer(text)} - _EMPTY
