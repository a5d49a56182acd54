"""Detection of empty answers and of abstentions: texts that state that they do not answer."""

from __future__ import annotations

import re
import unicodedata

from monitor.evaluation.answers.tokens import cached, lowered

_SOURCE = (
    r"(?:provided |given |supplied |available |retrieved |above )?"
    r"(?:contexts?|documents?|passages?|texts?|sources?|information|excerpts?|search results?|knowledge base)"
)
_NOT = r"(?:do|does|did)(?: not|n't)"
_CANNOT = r"(?:cannot|can not|can't|could not|couldn't|am not able to|'m not able to|am unable to|'m unable to)"

PHRASES = (
    rf"\bi {_NOT} (?:really )?(?:know|have (?:enough|any|sufficient|that|the|this|access))\b",
    r"\bi(?: have|'ve)? (?:no idea|no information|found no)\b",
    r"\bi(?: am|'m) not (?:sure|certain)\b",
    rf"\b(?:i|we)(?: |(?='m)){_CANNOT} (?:answer|help|assist|find|determine|tell|say|provide|locate|confirm)\b",
    r"\bunable to (?:answer|find|determine|provide|locate)\b",
    rf"\bnot (?:(?:mentioned|stated|specified|provided|contained|included|found|given|available|present|covered) )?"
    rf"(?:in|by|from) (?:the|this|these|my|your|any of the) {_SOURCE}\b",
    rf"\b{_SOURCE} {_NOT} (?:contain|mention|provide|say|specify|state|include|tell|answer|give|discuss|address)\b",
    rf"\bno (?:relevant |such )?(?:{_SOURCE}|answer|mention) (?:was |were |is |are |could be )?"
    r"(?:found|available|given|provided|in the)\b",
    rf"\b(?:insufficient|not enough) (?:{_SOURCE})\b",
    r"\b(?:cannot|can't|can not|could not|couldn't) be (?:answered|determined|found)\b",
    r"\bthere is (?:no|not enough|insufficient) (?:information|mention|answer)\b",
    r"^(?:it|this|that|the answer) (?:is|was) (?:unknown|not (?:known|available|specified|mentioned|stated|given))\W*$",
    r"^(?:unknown|unanswerable|no answer|n/?a|not (?:known|available|specified|mentioned|stated|found|sure))\W*$",
    r"\b(?:ich weiß (?:es |das )?nicht|weiß ich nicht|keine (?:angabe|information)|nicht im (?:kontext|text))\b",
    r"\bje ne (?:sais|peux) pas\b",
    r"\bpas (?:mentionné|indiqué|précisé)e?s? dans\b",
    r"\b(?:no (?:lo )?sé|no se menciona|no puedo responder|no hay información)\b",
)
"""Regular expressions for the opening of an answer in lower case. A doubtful text is an answer and is scored."""

OPENING = 400
"""Characters at the start of an answer that are searched for `PHRASES`."""

_PHRASE = re.compile("|".join(PHRASES))
_YES_OR_NO = re.compile(r"(?:yes|no|true|false)[,.;:!]")
_CONTRAST = re.compile(r"\b(?:but|however|nevertheless|although|though|aber|jedoch|mais|pero)\b")


def is_empty(text: str) -> bool:
    """Whether the answer has no content: no letter, digit or symbol.

    Examples
    --------
    >>> is_empty(" … "), is_empty("€")
    (True, False)
    """
    return not any(unicodedata.category(character)[0] in "LMNS" for character in text)


@cached
def is_abstention(text: str) -> bool:
    """Whether the answer opens with a phrase such as “I do not know” or “the context does not mention”: `PHRASES`.

    A text that begins with yes or no, or that continues with “but” or a similar word, is an answer.

    Examples
    --------
    >>> is_abstention("I'm sorry, the context doesn't mention the fee.")
    True
    >>> is_abstention("I don't know the exact day, but it was in March 1914.")
    False
    """
    opening = lowered(text[:OPENING]).strip()
    phrase = _PHRASE.search(opening)
    if phrase is None or _YES_OR_NO.match(opening):
        return False
    return _CONTRAST.search(opening, phrase.end()) is None
