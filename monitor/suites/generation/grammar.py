"""English grammar for the rewrites, on dependency parses with the labels of spaCy's English models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spacy.tokens import Span, Token

NEGATIONS = frozenset(
    [
        "no",
        "not",
        "n't",
        "never",
        "none",
        "nobody",
        "nothing",
        "nowhere",
        "neither",
        "nor",
        "cannot",
        "hardly",
        "scarcely",
        "barely",
        "seldom",
        "rarely",
        "without",
        "unless",
        "except",
        "few",
        "little",
        "lack",
        "lacks",
        "lacked",
        "fail",
        "fails",
        "failed",
        "refuse",
        "refuses",
        "refused",
        "deny",
        "denies",
        "denied",
    ]
)
"""Words that make a sentence negative."""
SUBJECTS = frozenset({"nsubj", "nsubjpass"})
_AUXILIARIES = frozenset({"aux", "auxpass"})
_PLURAL_TAGS = frozenset({"NNS", "NNPS"})
_IRREGULAR = {"be": "is", "have": "has", "do": "does", "go": "goes"}
_PLURAL_FORMS = {"is": "are", "was": "were", "has": "have", "does": "do"}
_SINGULAR_FORMS = {plural: singular for singular, plural in _PLURAL_FORMS.items()}
_PLURAL_PRONOUNS = frozenset(["we", "us", "they", "them", "you", "i", "me"])
"""Pronouns that take the verb without -s."""


def lemma(token: Token) -> str:
    """The dictionary form in lower case."""
    return token.lemma_.lower()


def children(token: Token, *labels: str) -> list[Token]:
    """The children of a token with one of these dependency labels."""
    return [child for child in token.children if child.dep_ in labels]


def subject_of(sentence: Span) -> Token | None:
    """The head of the subject of the main clause; None if there is no single subject."""
    subjects = children(sentence.root, *SUBJECTS)
    return subjects[0] if len(subjects) == 1 else None


def auxiliaries(verb: Token) -> list[Token]:
    """The auxiliaries of a verb, in order."""
    return children(verb, *_AUXILIARIES)


def finite_verb(sentence: Span) -> Token:
    """The verb of the main clause that agrees with its subject: the first auxiliary, or the verb itself."""
    return next(iter(auxiliaries(sentence.root)), sentence.root)


def is_negated(tokens: Iterable[Token]) -> bool:
    """Whether one of the tokens is a negation."""
    return any(token.dep_ == "neg" or token.lower_ in NEGATIONS for token in tokens)


def is_plural(noun: Token) -> bool:
    """Whether a noun, with the nouns coordinated to it, takes a plural verb."""
    if noun.tag_ in _PLURAL_TAGS or noun.lower_ in _PLURAL_PRONOUNS:
        return True
    return bool(children(noun, "conj")) and any(each.lower_ == "and" for each in children(noun, "cc"))


def agreeing(verb: Token, *, plural: bool) -> str | None:
    """A finite verb in the requested number. None for contracted forms, which are not supported."""
    form = verb.lower_
    if verb.tag_ in ("MD", "VBD") and form not in ("was", "were"):
        return verb.text
    if form in ("am", "'s", "'re", "'ve", "’s", "’re", "’ve"):
        return None
    if plural:
        if form in _SINGULAR_FORMS:
            return verb.text
        return _PLURAL_FORMS.get(form) or (lemma(verb) if verb.tag_ == "VBZ" else verb.text)
    if form in _PLURAL_FORMS:
        return verb.text
    return _SINGULAR_FORMS.get(form) or (third_person(lemma(verb)) if verb.tag_ == "VBP" else verb.text)


def third_person(stem: str) -> str:
    """The third person singular of a verb.

    Examples
    --------
    >>> [third_person(stem) for stem in ("sign", "watch", "carry", "pay", "have")]
    ['signs', 'watches', 'carries', 'pays', 'has']
    """
    if stem in _IRREGULAR:
        return _IRREGULAR[stem]
    if stem.endswith(("s", "x", "z", "ch", "sh", "o")):
        return f"{stem}es"
    if stem.endswith("y") and stem[-2:-1] not in "aeiou":
        return f"{stem[:-1]}ies"
    return f"{stem}s"


def article_before(word: str) -> str:
    """The indefinite article of a word."""
    lowered = word.lower()
    starts_with_vowel_sound = lowered.startswith(("hon", "hour", "heir")) or (
        lowered[:1] in "aeiou" and not lowered.startswith(("uni", "use", "usu", "eur", "one", "ubi", "uti"))
    )
    return "an" if starts_with_vowel_sound else "a"
