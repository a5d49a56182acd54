"""Numbers in words, written in digits: cardinals, ordinals, fractions, dozens and negative numbers."""

from __future__ import annotations

import re

from monitor.evaluation.answers.tokens import words

_UP_TO_NINETEEN = """
zero one two three four five six seven eight nine
ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen
"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL = {word: value for value, word in enumerate(re.findall(r"\w+", _UP_TO_NINETEEN))}
_SMALL |= {word: 10 * tens for tens, word in enumerate(re.findall(r"\w+", _TENS), 2)}
_SPELLED_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_ORDINALS = """
first second third fourth fifth sixth seventh eighth ninth tenth
eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth
"""
_NTH = {word: value for value, word in enumerate(re.findall(r"\w+", _ORDINALS), 1)}
_NTH |= {f"{word[:-1]}ieth": value for word, value in _SMALL.items() if value >= 20}
_PARTS = {"half": 2, "halve": 2, "quarter": 4} | {word: value for word, value in _NTH.items() if 3 <= value <= 12}
_SIGNS = {"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8"}
_PLAIN_DENOMINATORS = frozenset((2, 3, 4, 5, 6, 8, 10, 12, 16, 100))
"""Denominators of fractions in digits. Other numbers after a slash are left alone: 24/7, 120/80."""

_LONGEST_SPELLED = 12
"""Words after the first that are read as one number."""
_SPELLED_SCALE = "|".join(("hundred", *_SPELLED_SCALES))
_SPELLED_WORD = "|".join(_SMALL)
_SPELLED = re.compile(
    rf"\b(?:{_SPELLED_WORD})\b(?:(?:[\s-]|\sand\s)(?:{_SPELLED_WORD}|{_SPELLED_SCALE})\b){{0,{_LONGEST_SPELLED}}}",
    re.IGNORECASE,
)
_PART = "|".join(sorted(_PARTS, key=len, reverse=True))


def _rule(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_HUNDRED = _rule(rf"\ban?\s(?={_SPELLED_SCALE}|dozen)")
_ORDINAL = _rule(
    rf"\b(?:(?P<tens>{'|'.join(word for word, value in _SMALL.items() if value >= 20)})[\s-])?"
    rf"(?P<word>(?<!at )first(?!,| of all| time| name)|(?<!\ba )(?<!one )(?<!per )(?<!\d )(?<!/ )second(?!,| half)"
    rf"|{'|'.join(word for word, value in _NTH.items() if value > 2)})\b"
)
_AND_A_PART = _rule(
    r"\b(?P<whole>\d{1,15}|one|an?)(?P<unit>\s[a-z]{1,20})?\s+and\s+(?:an?|one)\s+(?P<part>half|quarter)\b"
)
_ONE_PART = _rule(rf"\b(?:an?|one)(?<!and a)(?<!and an)(?<!and one)[\s-](?P<part>{_PART})(?=\s+of\b|\s*[.,;!?)]|\s*$)")
_PARTS_OF = _rule(rf"(?<![\d\w])(?P<count>\d{{1,15}})[\s-](?P<part>{_PART})s\b")
_HALF = _rule(r"(?<!\dth )(?<!\dth-)(?<!\w-)\b(?:(?:an?|one)\s)?half\b(?!-?\s?(?:past|time|sister|brother)\b)")
_DIGIT_FRACTION = _rule(
    r"(?<![\w/.,-])(?:(?P<whole>\d{1,15})[\s-])?(?P<above>\d{1,2})/(?P<below>\d{1,3})(?![\d/]|[.,]\d)"
)
_OUT_OF = _rule(
    r"\b(?P<above>one|\d{1,15})\s(?:in|out of)(?:\severy)?\s(?P<below>\d{1,15})\b(?!\s?(?:%|percent|per cent))"
)
_DOZEN = _rule(r"\b(?:(?P<half>half\san?)|(?P<count>(?<!\d)\d{1,15}|one))\sdozen\b")
_WITH_UNIT = _rule(
    r"(?P<number>(?<!\d)\d\.\d{1,12}) fraction(?:\s+of)?(?:\s+an?\s|\s+one\s|-|\s)"
    r"(?=(?:hour|minute|day|week|month|year|decade|century|mile|kilomet|met(?:re|er)|lit(?:re|er)|kilo|gram|pound|tonne"
    r"|inch|foot|cup|million|billion|trillion|dollar|euro|ounce|pint|gallon|acre)s?)"
)
_MINUS = _rule(r"(?<!\d )(?<!\d)\b(?:minus|negative)\s+(?=\d)")
_BELOW_ZERO = _rule(
    r"(?<!\d)(?P<number>\d{1,15}(?:\.\d{1,15})?)(?P<unit>\s?°\s?[CF]?|\sdegrees?(?:\s(?:celsius|fahrenheit))?)?\sbelow\s(?:0|freezing)\b"
)


_FIGURE = _rule(r"\d|half|\band an?\b")
_SCALES = ("hundred", *_SPELLED_SCALES, "dozen")
_ORDINAL_WORDS = frozenset(("first", "second", *_NTH))
_MANY_PARTS = frozenset(f"{part}s" for part in _PARTS)


def in_digits(text: str, *, with_one: bool = True) -> str:
    """The text with its numbers in digits. Without ``with_one``, a single “one” may be a pronoun and stays.

    A fraction that no unit follows gets the unit “fraction”.

    Examples
    --------
    >>> in_digits("One of two hundred and twenty-one, or three million")
    '1 of 221, or 3000000'
    >>> in_digits("minus five; half; an hour and a half; a dozen; the twenty-first")
    '-5; 0.5 fraction; 1.5 hour; 12; the 21th'
    """
    lower, present = text.lower(), frozenset(words(text))  # a rule runs only if one of its words is there
    has_scale = any(scale in lower for scale in _SCALES)
    if has_scale:
        text = _HUNDRED.sub("one ", text)
    if not text.isascii():
        for sign, fraction in _SIGNS.items():
            text = text.replace(sign, f" {fraction}")
    if not present.isdisjoint(_PARTS):
        text = _ONE_PART.sub(lambda match: _fraction(1, _PARTS[match["part"].lower()]), text)
    if not present.isdisjoint(_ORDINAL_WORDS):
        text = _ORDINAL.sub(_in_ordinal, text)
    if has_scale or not present.isdisjoint(_SMALL):
        text = _SPELLED.sub(lambda match: _in_digits(match[0], with_one=with_one), text)
    return _with_parts(text, lower, present) if _FIGURE.search(text) else text


def _with_parts(text: str, lower: str, present: frozenset[str]) -> str:
    """The text with fractions, dozens and negative numbers in digits; ``lower`` and ``present`` are of the original."""
    has_half = "half" in lower
    if has_half or "quarter" in lower:
        text = _AND_A_PART.sub(_in_mixed, text)
    if "dozen" in lower:
        text = _DOZEN.sub(lambda match: "6" if match["half"] else str(12 * _count(match["count"])), text)
    if not present.isdisjoint(_MANY_PARTS):
        text = _PARTS_OF.sub(lambda match: _fraction(int(match["count"]), _PARTS[match["part"].lower()]), text)
    if has_half:
        text = _HALF.sub("0.5 fraction", text)
    if "/" in text:
        text = _DIGIT_FRACTION.sub(_in_quotient, text)
    if " in " in lower or " out of " in lower:
        text = _OUT_OF.sub(_in_quotient, text)
    if " fraction" in text:
        text = _WITH_UNIT.sub(r"\g<number> ", text)
    if "below" in lower:
        text = _BELOW_ZERO.sub(r"-\g<number>\g<unit>", text)
    return _MINUS.sub("-", text) if "minus" in lower or "negative" in lower else text


def _in_digits(spelled: str, *, with_one: bool) -> str:
    if not with_one and spelled.lower() == "one":
        return spelled
    total = current = 0
    for word in re.split(r"[\s-]", spelled.lower()):
        if word == "hundred":
            current = (current or 1) * 100
        elif word in _SPELLED_SCALES:
            total, current = total + (current or 1) * _SPELLED_SCALES[word], 0
        else:
            current += _SMALL.get(word, 0)
    return str(total + current)


def _in_ordinal(match: re.Match[str]) -> str:
    tens = _SMALL[match["tens"].lower()] if match["tens"] else 0
    return f"{tens + _NTH[match['word'].lower()]}th"


def _in_mixed(match: re.Match[str]) -> str:
    whole = 1 if match["whole"].lower() in ("a", "an", "one") else int(match["whole"])
    return f"{whole + 1 / _PARTS[match['part'].lower()]}{match['unit'] or ''}"


def _in_quotient(match: re.Match[str]) -> str:
    groups = match.groupdict()
    above, below = _count(groups["above"]), int(groups["below"])
    if above >= below or ("whole" in groups and below not in _PLAIN_DENOMINATORS):
        return match[0]
    return f"{int(groups['whole']) + above / below:.10g}" if groups.get("whole") else _fraction(above, below)


def _count(digits: str) -> int:
    return 1 if digits.lower() == "one" else int(digits)


def _fraction(above: int, below: int) -> str:
    return f"{above / below:.10f}".rstrip("0") + " fraction"
