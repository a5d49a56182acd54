"""Polarity of an answer: whether it affirms or denies as the reference does. It detects lost and added negations.

English only: an answer in another language counts as affirmative unless it begins with yes or no in English.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from monitor.evaluation.answers.tokens import cached, lowered, words

LONGEST_READ = 4_000
"""Maximum number of characters of an answer that are read."""
ENOUGH_IN_COMMON = 0.5
"""Two clauses have the same topic if they share this part of the content words of the shorter one."""
SHORTEST_STATEMENT = 3
"""Words."""

_LEADS = {"yes": True, "yeah": True, "yep": True, "nope": False}
_LEADS_ALONE = _LEADS | {"true": True, "correct": True, "indeed": True, "no": False, "false": False, "incorrect": False}
"""“No” is an answer before a comma or a pronoun; in “no staff” it is not."""
_PRONOUNS = frozenset(words("i you he she it we they this that these those there the"))
_AUXILIARY = frozenset(
    words("is are was were am be can could may might must shall should will would wo do does did has have had cannot")
)
_NEGATORS = frozenset(
    words(
        "not cannot never no none nobody nothing nowhere neither nor without forbidden prohibited disallowed banned "
        "impossible unable illegal unlawful invalid false incorrect wrong excluded lacks lack fails failed refused "
        "denied hardly scarcely barely rarely seldom exclude excludes excluding omit omits omitted forbid forbids "
        "prohibit prohibits ban bans disallow disallows reject rejects rejected refuse refuses deny denies exempt "
        "exempts optional voluntary ineligible"
    )
)
"""Words that deny a clause. Two of them cancel out."""
_AFFIRMING = frozenset(
    words(
        "cover covers covered include includes included allow allows allowed permit permits permitted accept accepts "
        "accepted require requires required apply applies support supports supported contains provides needs grants "
        "mandatory compulsory obligatory ever"
    )
)
"""Words that affirm a clause: the opposites of the negators that are verbs."""
_VERBS = _AFFIRMING - frozenset(words("cover support ever mandatory compulsory obligatory")) | frozenset(
    words("excludes omits forbids forbid prohibits prohibit bans disallows rejects refuses denies exempts")
)
"""Verbs that make a statement without an auxiliary."""
_EMPTY = _AUXILIARY | frozenset(
    words("a an the of to in on at by for from with and or that this these those it its they their there as if any")
)
_CLAUSE = re.compile(r"[.;:!?\n]+\s|,\s|\b(?:but|however|although|though|unless|except|whereas|while|because)\b")
_NO_NEGATION = re.compile(
    r"\bnot only\b|\b(?:no|not) (?:more|less|later|earlier|fewer|greater|longer|higher|lower|sooner) than\b"
)
_WITHOUT_CONTENT = _EMPTY | _NEGATORS | _AFFIRMING


class Clause(NamedTuple):
    """A part of a statement: its content words, and whether it is negated."""

    content: frozenset[str]
    is_negated: bool


class Stance(NamedTuple):
    """The opening yes or no of a text, if there is one, and its clauses."""

    lead: bool | None
    """True for yes, False for no."""
    clauses: tuple[Clause, ...]
    is_statement: bool
    """Whether it makes an assertion: it has an auxiliary or modal verb, or a verb such as “covers”."""

    @property
    def is_affirmative(self) -> bool:
        """Whether it begins with yes, or has no opening and its first clause is not negated."""
        if self.lead is not None:
            return self.lead
        return not (self.clauses and self.clauses[0].is_negated)


def polarity(text: str, references: Sequence[str]) -> float:
    """1 where the answer affirms or denies as a reference does, else 0.

    It applies to references that begin with yes or no, or that have a verb, which is an auxiliary, a modal or one
    such as “covers”; NaN if no reference does. Two texts that both begin with yes or no are compared by that word;
    others by the two clauses with the most words in common, if these have the same topic; others by whether they are
    affirmative. A word such as “forbidden”, “excludes” or “hardly” is a negation, and two negations in a
    clause cancel out.

    Examples
    --------
    >>> polarity("Staff may not carry leave over.", ["Staff may carry over five days of leave."])
    0.0
    >>> polarity("That is prohibited.", ["No, it is not allowed."])
    1.0
    """
    expected = [each for each in map(stance, references) if each.lead is not None or each.is_statement]
    if not expected:
        return math.nan
    answer = stance(text)
    if answer.lead is None and not answer.clauses:
        return 0.0
    return float(any(_agree(answer, reference) for reference in expected))


def is_negative(text: str) -> bool:
    """Whether a text begins with no, or its first clause is negated.

    Examples
    --------
    >>> is_negative("It is not allowed."), is_negative("Paris")
    (True, False)
    """
    return not stance(text).is_affirmative


@cached
def stance(text: str) -> Stance:
    """The opening yes or no of a text and the polarity of its clauses.

    Examples
    --------
    >>> stance("No, it isn't allowed.").lead, stance("It isn't allowed.").is_affirmative
    (False, False)
    """
    plain = lowered(text[:LONGEST_READ]).replace("can't", "cannot").replace("n't", " not")
    parts = [clause for part in _CLAUSE.split(_NO_NEGATION.sub(" ", plain)) if (clause := words(part))]
    if not parts:
        return Stance(None, (), False)
    lead = _lead(*parts[0][:2])
    if lead is not None:
        parts = [part for part in (parts[0][1:], *parts[1:]) if part]
    every = [word for part in parts for word in part]
    is_statement = len(every) >= SHORTEST_STATEMENT and not (_AUXILIARY | _VERBS).isdisjoint(every)
    return Stance(lead, tuple(map(_clause, parts)), is_statement)


def _lead(first: str, second: str = "") -> bool | None:
    is_alone = not second or (first == "no" and second in _PRONOUNS)
    return (_LEADS_ALONE if is_alone else _LEADS).get(first)


def _clause(part: Sequence[str]) -> Clause:
    present = frozenset(part)
    negators = 0 if present.isdisjoint(_NEGATORS) else sum(word in _NEGATORS for word in part)
    return Clause(present - _WITHOUT_CONTENT, negators % 2 == 1)


def _agree(answer: Stance, reference: Stance) -> bool:
    if answer.lead is not None and reference.lead is not None:
        return answer.lead == reference.lead
    pairs = [(_in_common(left, right), left, right) for left in answer.clauses for right in reference.clauses]
    if pairs:
        share, left, right = max(pairs, key=lambda pair: pair[0])
        if share >= ENOUGH_IN_COMMON:
            return left.is_negated == right.is_negated
    return answer.is_affirmative == reference.is_affirmative


def _in_common(left: Clause, right: Clause) -> float:
    shorter = min(len(left.content), len(right.content))
    return len(left.content & right.content) / shorter if shorter else 0.0
