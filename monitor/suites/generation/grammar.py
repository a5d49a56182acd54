"""What the rewrites need to know of English, on a dependency parse with the labels of spaCy's English models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spacy.tokens import Span, Token

DENYING = frozenset(
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
"""Words that deny already."""
SUBJECTS = frozenset({"nsubj", "nsubjpass"})
_AUXILIARIES = frozenset({"aux", "auxpass"})
_PLURAL_TAGS = frozenset({"NNS", "NNPS"})
_IRREGULAR = {"be": "is", "have": "has", "do": "does", "go": "goes"}
_PLURAL_FORMS = {"is": "are", "was": "were", "has": "have", "does": "do"}
_SINGULAR_FORMS = {plural: singular for singular, plural in _PLURAL_FORMS.items()}
_PLURAL_PRONOUNS = frozenset(["we", "us", "they", "them", "you", "i", "me"])
"""Those that take the verb without -s."""


def lemma(token: Token) -> str:
    """The dictionary form, without case."""
    return token.lemma_.lower()


def children(token: Token, *labels: str) -> list[Token]:
    """What hangs on a token by one of these relations."""
    return [child for child in token.children if child.dep_ in labels]


def subject_of(sentence: Span) -> Token | None:
    """The head of the subject of the main clause, if there is one."""
    found = children(sentence.root, *SUBJECTS)
    return found[0] if len(found) == 1 else None


def auxiliaries(verb: Token) -> list[Token]:
    """The auxiliaries of a verb, in their order."""
    return children(verb, *_AUXILIARIES)


def finite_verb(sentence: Span) -> Token:
    """The verb of the main clause that agrees with its subject: the first auxiliary, or the verb itself."""
    return next(iter(auxiliaries(sentence.root)), sentence.root)


def is_denied(tokens: Iterable[Token]) -> bool:
    """Whether something denies already."""
    return any(token.dep_ == "neg" or token.lower_ in DENYING for token in tokens)


def is_plural(noun: Token) -> bool:
    """Whether a noun with all that is joined to it takes a plural verb."""
    if noun.tag_ in _PLURAL_TAGS or noun.lower_ in _PLURAL_PRONOUNS:
        return True
    return bool(children(noun, "conj")) and any(each.lower_ == "and" for each in children(noun, "cc"))


def agreeing(verb: Token, *, plural: bool) -> str | None:
    """A finite verb in the other number. None where it has only one form, or a form that is not known."""
    told = verb.lower_
    if verb.tag_ in ("MD", "VBD") and told not in ("was", "were"):
        return verb.text
    if told in ("am", "'s", "'re", "'ve", "’s", "’re", "’ve"):
        return None
    if plural:
        if told in _SINGULAR_FORMS:
            return verb.text
        return _PLURAL_FORMS.get(told) or (lemma(verb) if verb.tag_ == "VBZ" else verb.text)
    if told in _PLURAL_FORMS:
        return verb.text
    return _SINGULAR_FORMS.get(told) or (third_person(lemma(verb)) if verb.tag_ == "VBP" else verb.text)


def third_person(stem: str) -> str:
    """A verb as it follows he, she or it.

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
    """The indefinite article as a word takes it."""
    told = word.lower()
    is_said_with_vowel = told.startswith(("hon", "hour", "heir")) or (
        told[:1] in "aeiou" and not told.startswith(("uni", "use", "usu", "eur", "one", "ubi", "uti"))
    )
    return "an" if is_said_with_vowel else "a"
