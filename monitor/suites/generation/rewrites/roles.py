"""Role swap: agent and patient are exchanged, with agreement and pronoun case adjusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.suites.generation.draft import Refusal
from monitor.suites.generation.edits import replaced, subtree_of, uncapitalised
from monitor.suites.generation.grammar import agreeing, auxiliaries, children, finite_verb, is_plural, lemma, subject_of
from monitor.suites.generation.rewrites.rewrite import Outcome, rewritten
from monitor.suites.generation.words import listed

if TYPE_CHECKING:
    from spacy.tokens import Span, Token

_SYMMETRIC = listed(
    "meet marry divorce resemble equal match border adjoin touch intersect date fight face join accompany equate "
    "contact encounter collide cooperate differ correspond share agree neighbour neighbor"
)
"""Verbs whose meaning does not change when subject and object are swapped."""
_AGENT_ENTITIES = frozenset({"PERSON", "ORG", "NORP", "GPE"})
_ROLES = listed("""
    adviser advisor agency agent applicant artist attorney auditor author authority bank board borrower boss boy broker
    brother builder buyer candidate captain carer carrier chef child citizen client coach colleague committee company
    competitor consultant consumer contractor controller council counsel court creditor customer daughter debtor
    defendant dentist department designer developer director distributor doctor driver editor employee employer engineer
    executor expert farmer father firefighter firm friend girl government guardian guest heir hospital host husband
    importer inspector instructor insurer inventor investor judge landlord lawyer lender licensee licensor lodger man
    manager manufacturer member merchant minister ministry mother neighbour neighbor nurse occupant officer operator
    owner parent parliament partner party passenger patient pedestrian person physician pilot player policeman
    politician president processor producer professor provider psychologist publisher purchaser regulator reporter
    researcher reseller resident retailer scientist school seller senator shareholder singer sister soldier solicitor
    son spouse staff state student subcontractor supervisor supplier surgeon teacher team technician tenant thief trader
    trainer translator trustee tutor union university user vendor visitor voter warden wife witness woman worker
    writer
    """)
"""Nouns for persons and organisations, each of which can be agent or patient."""
_AMBIGUOUS_DEPENDENTS = frozenset({"prep", "relcl", "acl", "advcl", "appos", "dep", "npadvmod"})
_OBJECT_CASE = {"i": "me", "he": "him", "she": "her", "we": "us", "they": "them", "who": "whom"}
_SUBJECT_CASE = {case: subject for subject, case in _OBJECT_CASE.items()}
_REFERRING_WORDS = listed("his her its their my our your himself herself itself themselves each other")


def rewrite(sentence: Span) -> Outcome:
    """The sentence with subject and object swapped."""
    verb, subject = sentence.root, subject_of(sentence)
    objects = children(verb, "dobj")
    if subject is None or subject.dep_ != "nsubj" or len(objects) != 1 or verb.pos_ != "VERB":
        return None
    goal = objects[0]
    problem = _why_not(verb, subject, goal)
    if problem:
        return Refusal(problem)
    first, form = finite_verb(sentence), agreeing(finite_verb(sentence), plural=is_plural(goal))
    if form is None:
        return Refusal("a contracted verb")
    edits = [
        replaced(*subtree_of(subject), _phrase(sentence, goal, _SUBJECT_CASE)),
        replaced(*subtree_of(goal), _phrase(sentence, subject, _OBJECT_CASE)),
        replaced(first, first, form),
    ]
    agent, patient, stem = _referent(subject), _referent(goal), lemma(verb)

    def holds(parse: Span) -> bool:
        now, then = subject_of(parse), children(parse.root, "dobj")
        if now is None or len(then) != 1 or lemma(parse.root) != stem:
            return False
        return (_referent(now), _referent(then[0])) == (patient, agent)

    return rewritten(sentence, edits, "subject and object are swapped", holds)


def _why_not(verb: Token, subject: Token, goal: Token) -> str:
    if lemma(verb) in _SYMMETRIC:
        return "a symmetric verb, whose meaning does not change"
    if lemma(subject) == lemma(goal):
        return "subject and object are the same word"
    if children(verb, "conj", "dative", "oprd", "ccomp", "xcomp") or children(subject, "conj") or _is_passive(verb):
        return "more than one verb, subject or object"
    if not (_acts(subject) and _acts(goal)):
        return "subject and object are not both persons or organisations"
    if any(child.dep_ in _AMBIGUOUS_DEPENDENTS and child.lower_ != "of" for child in goal.children):
        return "words after the object with ambiguous attachment"
    if any(token.lower_ in _REFERRING_WORDS for head in (subject, goal) for token in head.subtree):
        return "a possessive or reflexive word would change its referent"
    return ""


def _is_passive(verb: Token) -> bool:
    return any(auxiliary.dep_ == "auxpass" for auxiliary in auxiliaries(verb))


def _referent(noun: Token) -> str:
    """The lemma of a noun, or a pronoun in its subject case."""
    return _SUBJECT_CASE.get(noun.lower_) or (noun.lower_ if noun.pos_ == "PRON" else lemma(noun))


def _acts(noun: Token) -> bool:
    if noun.lower_ in _OBJECT_CASE or noun.lower_ in _SUBJECT_CASE:
        return True
    # A single word in capitals can be any abbreviation.
    is_named = noun.pos_ == "PROPN" and noun.ent_type_ in _AGENT_ENTITIES and not noun.is_upper
    return is_named or (noun.pos_ == "NOUN" and lemma(noun) in _ROLES)


def _phrase(sentence: Span, head: Token, case: dict[str, str]) -> str:
    if head.pos_ == "PRON" and head.lower_ in case:
        return case[head.lower_] if case[head.lower_] != "i" else "I"
    first, last = subtree_of(head)
    text = head.doc[first.i : last.i + 1].text
    return uncapitalised(sentence, text) if first.i == sentence.start else text
