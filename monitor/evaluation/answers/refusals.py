"""Wording of refusals: the parts of an answer that state that the answer is missing, and the parts without content.

The expressions are matched with one clause in lower case, with its contractions written out (“do not”, “i am”).
"""

from __future__ import annotations

import re

from monitor.evaluation.answers.tokens import lowered

_SOURCE = (
    r"(?:contexts?|documents?|passages?|texts?|sources?|information|excerpts?|(?:search )?results?|knowledge base"
    r"|articles?|manuals?|handbooks?|reports?|pages?|minutes|abstracts?|stud(?:y|ies)|authors?|brochures?|leaflets?"
    r"|catalogues?|catalogs?|papers?|docs|documentation|materials?|sections?|data ?sheets?|sheets?"
    r"|recipes?|schedules?|websites?|specifications?"
    r"|descriptions?|notes|readme|guides?"
    r"|faqs?|files?|records|snippets?|chunks?|budgets?|transcripts?|chapters?|paragraphs?)"
)
_AGREEMENT = r"(?:polic(?:y|ies)|bylaws|contracts?|agreements?|leases?|guidelines?|rules|terms|regulations|warranty)"
_VERB = (
    r"(?:mention|state|say|specif(?:y|ied)|give|provide|contain|include|tell|answer|discuss|address|name|report"
    r"|clarify|indicate|reveal|list|describe|explain|quantify|document|define|identify|disclose|note|show|go into"
    r"|touch on|refer to|cover|offer|break|go beyond|deal with|state)(?:s|es)?"
)
_SPEECH = (
    r"(?:mention|state|say|specify|discuss|address|name|report|clarify|indicate|reveal|quantify|give|tell|disclose"
    r"|answer (?:the|this|that|your) question)s?"
)
_STATED = (
    r"(?:mentioned|stated|specified|listed|named|reported|documented|addressed|discussed|indicated|disclosed"
    r"|described|given|defined|explained|quantified|explicit|identified|published|recorded|disclosed|revealed)"
)
_FACT = (
    r"(?:information|answers?|mention|details?|data|figures?|indications?|references?|results?|documents?|record|clue"
    r"|hint|sources?|passages?|breakdown|entry|entries|dates?|names?|numbers?|values?|reasons?|address(?:es)?"
    r"|locations?|prices?|contexts?)"
)
_ADVERB = r"(?:(?:really|simply|just|only|even|yet|explicitly|directly|actually|clearly|specifically|also) )?"
_NOT = rf"(?:(?:do|does|did) {_ADVERB}not|never|fail(?:s|ed)? to) (?:(?:seem|appear) to )?{_ADVERB}"
_IN_SOURCE = rf"(?:in|by|from|with|on|of|among|within) (?:[\w-]+ ){{0,5}}?{_SOURCE}\b"

REFUSALS = (
    # the writer
    r"\b(?:i|we) (?:really |simply |just |still )?(?:do|did) not (?:really |currently |actually )?"
    r"(?:know|have|see|find|recall|possess|think (?:[\w-]+ )+(?:mentions|states|says))",
    r"\b(?:i|we) (?:(?:really |simply |just )?(?:can|could|will|would) not|(?:am|was|are|were|have been) (?:not able"
    r"|unable) to|will not be able to|would rather not|can neither) (?:\w+ )?"
    r"(?:answer|help|assist|find|determine|tell|say|provide|give"
    r"|locate|confirm|verify|retrieve|offer|identify|infer|access|respond|comment|check|share|be (?:sure|certain))",
    r"\b(?:i|we) (?:really )?(?:have|had|found|see|find) (?:no|nothing)\b",
    r"\b(?:i|we) (?:have not|had not) (?:found|seen|any)\b",
    r"\bi am (?:not |un)(?:\w+ ){0,2}?(?:sure|certain|aware)\b",
    r"\bi am not an? [\w ]{0,12}(?:lawyer|doctor|expert|physician)",
    r"\bi (?:can|could) only (?:speculate|guess)|\bi would (?:have to guess|need more)",
    r"\bi need (?:more|further|additional)",
    r"\bmy [\w ]+ (?:has|have|contains?) (?:no|nothing)\b",
    r"^(?:sorry )?(?:no idea|unable to (?:answer|find|determine|provide|locate|say)"
    r"|not (?:sure|certain|known|found))\b",
    r"\bcan ?not be (?:certain|sure)\b|\bsomething i can answer",
    # nothing is available
    rf"\bthere (?:is|are|was|were) (?:no|not (?:any|enough)|insufficient|nothing)\b[\w\s'-]*?\b(?:{_FACT}|about|on|in|"
    rf"to answer)\b",
    rf"\bno (?:[\w-]+ ){{0,2}}?{_FACT}\b(?:(?: [\w'-]+){{0,9}}? (?:found|given|available|provided|stated|specified"
    rf"|mentioned|listed|retrieved|returned|named|reported|in the)\b|\W*$)",
    rf"\bno [\w -]{{1,40}} (?:is|are|was|were) {_STATED}\b",
    rf"\b(?:insufficient|not enough|not sufficient) (?:[\w-]+ )?{_FACT}\b",
    r"\b(?:hard|difficult|impossible|not possible|no way|no means) (?:to|of) (?:say|tell|determin|know|answer)",
    r"\bnothing (?:[\w-]+ )?(?:was|is|could be|came) (?:found|available|retrieved|up)\b|\b(?:i|we) lack\b",
    rf"\b{_SOURCE} (?:leaves? (?:it )?(?:open|unclear)|(?:is|are) (?:insufficient|not sufficient|incomplete"
    r"|too short))\b",
    r"\bcan ?not (?:reliably )?be (?:answered|determined|inferred|confirmed|established|deduced|derived)\b",
    rf"\bcould not be (?:determined|(?:found|located) {_IN_SOURCE})",
    rf"\b{_FACT}\b[\w\s]* (?:is|are) (?:missing|unavailable|absent|lacking|not (?:available|included|present))\b",
    r"\b(?:outside|out of|beyond) (?:of )?(?:the |my )?(?:scope|material|knowledge)\b",
    r"\b(?:returned|contains?|gives?|yielded) no (?:results|answer|hint)",
    rf"\b{_SOURCE} (?:is|are|was|were) (?:empty|silent)\b",
    r"^(?:but )?(?:it|that|this|the answer) (?:is|was|remains) "
    rf"(?:unknown|unclear|undocumented|not clear\b|not {_ADVERB}(?:{_STATED}|known|available|provided)\b)",
    r"\b(?:is|are|remains?) (?:unclear|undocumented|not (?:entirely |quite )?clear)\b",
    r"\bnot part of (?:my|the|this)\b",
    # the source
    rf"\b{_SOURCE}(?: [\w']+){{0,5}}? {_NOT}{_VERB}\b",
    rf"\b{_SOURCE}(?: [\w']+){{0,5}}? (?:do|does|did) not\W*$",
    rf"\b(?:it|they|which|that|and|but|he|she|who) {_NOT}{_SPEECH}\b",
    rf"\b{_AGREEMENT}(?: [\w']+){{0,5}}? {_NOT}{_SPEECH}\b",
    rf"^{_NOT}{_SPEECH}\b",
    rf"\b(?:none of|neither|nothing in|nothing from|nowhere in) (?:[\w-]+ ){{0,4}}?{_SOURCE}\b",
    rf"\b{_SOURCE}(?: [\w']+){{0,4}}? (?:provid|giv|mak|offer|contain|includ|ha|report|list|sa|omit|lack)\w* "
    rf"(?:no(?: (?:mention|reference|[\w-]+))?\b|nothing|any\b|{_FACT}|little)",
    rf"\b{_SOURCE}(?: [\w']+){{0,4}}? (?:lacks?|omits?|(?:is|are) silent)\b",
    rf"\bnot (?:\w+ )?(?:contained|included|found|given|available|present|covered|shown|provided|{_STATED})?"
    rf" ?{_IN_SOURCE}",
    r"\bnot among (?:them|these|those)\b",
    # other languages
    r"\bkeine?r?n? (?:\w+ )?(?:angaben?|information(?:en)?|auskunft|daten|antwort|hinweise?)\b",
    r"\b(?:steht|sagt|enthält|enthalten|findet|finde|weiß|geht|kann|konnte)\b[\w\s,]*\b(?:nichts?|nicht hervor)\b",
    r"\bnicht (?:im (?:kontext|text|dokument)|genannt|angegeben|erwähnt|beantworten|aufgeführt|hervor|gefunden)\b",
    r"\b(?:nennt|erwähnt)\b[\w\s]*\bnicht\b",
    r"\bne (?:sais|peux|contient|contiennent|mentionne|mentionnent|précise|précisent|donne|dit|trouve|dispose)\b",
    r"\bn'(?:est pas (?:disponible|mentionn|indiqu|précis)|ai (?:pas|aucune)|indique)",
    r"\baucune (?:information|mention|réponse)",
    r"\bpas (?:mentionné|indiqué|précisé)e?s?\b",
    r"\bno (?:lo )?(?:sé|contiene|menciona|especifica|indica|dispongo|tengo|puedo|encuentro|encontré)\b",
    r"\bno se (?:menciona|especifica|indica|encuentra)|\bno hay (?:información|mención)",
    r"\bnon (?:lo so|so|contiene|specifica|menziona|indica|è (?:indicato|specificato|menzionato))\b",
    r"\bnão (?:sei|contém|menciona|especifica|há informaç)",
    r"\bik weet\b.*\bniet\b|\b(?:vermeldt|bevat) (?:\w+ )*?(?:niet|geen)\b",
)
"""A clause that states that the answer is missing, whatever the question is."""

DENIALS = (
    rf"\b(?:not|never) {_ADVERB}(?:\w+ )?{_STATED}\b",
    rf"\b{_AGREEMENT}(?: [\w']+){{0,5}}? {_NOT}{_VERB}\b",
    rf"\b(?:is|are|was|were|be|been|remains?|{_FACT}) (?:unknown|unavailable"
    r"|not (?:provided|available|known|found|included|shown|covered))\W*$",
)
"""Further refusals, which are answers if a reference denies something as well (“not available”)."""

WHOLE = (
    r"(?:unknown|unanswerable|unclear|not (?:known|available|specified|mentioned|stated|found|sure|given|provided)"
    r"|n ?/ ?a|no (?:answer|data|information|idea)(?: (?:found|available|given))?"
    r"|(?:insufficient|not enough) (?:information|context|data)|none found)"
)
"""A whole clause that is a refusal."""

FILLERS = (
    r"(?:i am |we are )?(?:very |so )?(?:sorry|afraid)\b|(?:i|we) (?:apologi[sz]e|would recommend|recommend|suggest"
    r"|searched|have searched|looked|checked|would)\b"
    r"|(?:it|that|this) depends\W*$|without (?:more|further|additional|any)\b|try\b"
    r"|(?:hmm|unfortunately|regrettably|however|but|and|so|please|note)\W*$",
    r"(?:\w+ )?(?:based on|according to|given|from|in|on) (?:[\w-]+ ){0,4}?" + _SOURCE + r"\W*$",
    r"(?:as|being) an? (?:ai\b|language|large|assistant)",
    r"(?:(?:and|so|then|or|therefore) )?(?:please|kindly|see|check|contact|ask|consult|refer to|visit|let me know"
    r"|feel free|would you|could you|can you|do you|for (?:more|current|further|the most|details|help)|if you)\b",
    r"you (?:may|might|could|can|should|would|will)(?: (?:want|need|have|like|wish))?(?: to)? (?:also )?"
    r"(?:check|contact|ask|consult|try|look|refer|see|find out|provide|verify|reach)\b",
    r"(?:it|this|that|the \w+) (?:might|may|could) (?:be|have been) (?:in|somewhere|any|listed|found)\b",
    r"\W*$",
)
"""The openings of clauses without content: apologies, advice and offers."""

TOPICS = (
    r"(?:the|this|these|those|your|my|our|both|all)? ?(?:[\w-]+ ){0,4}?"
    + _SOURCE
    + r"(?: [\w']+){0,4}? (?:only |mainly |just |merely |also )?(?:talk|describ|cover|list|mention|discuss|deal|explain"
    r"|concern|focus|report|contain|is (?:only )?about|are (?:only )?about|provid|refer|look)\w*",
    r"(?:it|they|these|those|as they|as it|which) (?:only |mainly |just )?(?:describe|cover|list|discuss|deal|explain"
    r"|concern|focus|talk|(?:is|are) (?:only )?about)\w*",
)
"""The opening of a sentence about the topics of a source. It answers nothing, unless it has words of the reference."""

_WRITTEN_OUT = (
    (r"(?<=\bca)n't\b", "n not"), (r"\bcannot\b", "can not"), (r"\bwon't\b", "will not"), (r"n't\b", " not"),
    (r"'m\b", " am"), (r"'re\b", " are"), (r"'ve\b", " have"), (r"'d\b", " would"), (r"'ll\b", " will"),
    (r"\b(it|there|that|he|she|what)'s\b", r"\1 is"), (r"[_<>\[\]*]+", " "), (r"\s+", " "),
)  # fmt: skip
_CONTRACTIONS = tuple((re.compile(pattern), replacement) for pattern, replacement in _WRITTEN_OUT)
_UNUSUAL = re.compile(r"['_<>\[\]*]|cannot|\s\s|[\n\t]")
_HINT = re.compile(
    r"\b(?:no|not|none|nothing|never|neither|nowhere|unable|un(?:known|clear|available|answerable|sure|certain|aware"
    r"|documented)|insufficient|missing|absent|incomplete|lack|omit|fail|leave|silent|empty|hard|difficult|impossible"
    r"|outside|out of|beyond|only|would|need|n ?/ ?a|ke?ine?|nicht|ne|non|pas|aucune|não|niet|geen)|n'"
)
"""A clause without any of these words is no refusal."""
_CONDITION = re.compile(r"\b(?:if|because|when|unless|wenn|weil)\b")
_HAS_SOURCE = re.compile(rf"\b(?:{_SOURCE}|{_AGREEMENT}|{_FACT})\b")
_REFUSAL = re.compile("|".join(REFUSALS))
_REFUSAL_WITHOUT_SOURCE = re.compile(
    "|".join(each for each in REFUSALS if not any(noun in each for noun in (_SOURCE, _AGREEMENT)) or each[0] == "^")
)
_DENIAL = re.compile("|".join(DENIALS))
_WHOLE = re.compile(rf"\W*(?:answer: )?{WHOLE}\W*")
_FILLER = re.compile("|".join(FILLERS))
_TOPIC = re.compile("|".join(TOPICS))
_TOPIC_ENDS = re.compile(rf"\b(?:and|but|or) {_NOT}{_VERB}\b")


def written_out(clause: str) -> str:
    """A clause in lower case without contractions, brackets or underscores.

    Examples
    --------
    >>> written_out("I can't say; it isn't in the text")
    'i can not say; it is not in the text'
    """
    plain = lowered(clause)
    if _UNUSUAL.search(plain):
        for pattern, replacement in _CONTRACTIONS:
            plain = pattern.sub(replacement, plain)
    return plain.strip()


def may_refuse(clause: str) -> bool:
    """Whether a clause has one of the words without which it neither refuses nor denies.

    Examples
    --------
    >>> may_refuse("the text does not mention it"), may_refuse("the fee is 5 euros")
    (True, False)
    """
    return _HINT.search(clause) is not None


def is_refusal(clause: str) -> bool:
    """Whether a clause states that the answer is missing. A condition (“if the document does not say”) does not.

    Examples
    --------
    >>> is_refusal("the text does not mention it"), is_refusal("the fee is 5 euros")
    (True, False)
    """
    if _WHOLE.fullmatch(clause):
        return True
    expression = _REFUSAL if _HAS_SOURCE.search(clause) else _REFUSAL_WITHOUT_SOURCE
    return _matches(expression, clause) or (is_topic(clause) and _matches(_TOPIC_ENDS, clause))


def is_denial(clause: str) -> bool:
    """Whether a clause states that something is not stated, not known or not available.

    Examples
    --------
    >>> is_denial("the fee is not specified"), is_denial("pets are not allowed")
    (True, False)
    """
    return _matches(_DENIAL, clause)


def is_filler(clause: str) -> bool:
    """Whether a clause is an apology, advice or an offer.

    Examples
    --------
    >>> is_filler("please contact the front desk")
    True
    """
    return _FILLER.match(clause) is not None


def is_topic(clause: str) -> bool:
    """Whether a clause starts a list of the topics of a source.

    Examples
    --------
    >>> is_topic("the article only describes the negotiations")
    True
    """
    return _TOPIC.match(clause) is not None


def _matches(expression: re.Pattern[str], clause: str) -> bool:
    match = expression.search(clause)
    return match is not None and _CONDITION.search(clause, 0, match.start()) is None
