"""Answers are scored like SQuAD and ROUGE, and abstentions and empty answers score 0."""

import math
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.evaluation.answers.abstention import is_abstention, is_empty
from monitor.evaluation.answers.dates import take_dates
from monitor.evaluation.answers.measurements import SCORERS
from monitor.evaluation.answers.polarity import polarity
from monitor.evaluation.answers.quantities import numeric_equality
from monitor.evaluation.answers.scorers import (
    LONGEST_COMPARED,
    citation_precision,
    citation_recall,
    common_subsequence,
    containment,
    context_recall,
    exact_match,
    rouge_l,
    token_f1,
)
from monitor.evaluation.answers.tokens import words
from tests.properties import examples

# Nothing is timed here, and a busy machine must not fail a test.
EXAMPLES = examples(200)
EVERY = pytest.mark.parametrize("name", SCORERS)

LONG = 200_000
some_words = st.lists(
    st.sampled_from(
        ["the", "A", "an.", "Denver", "broncos!", "it's", "1,000", "km", "not", "no", "Ａ", "café", "東京"]
    ),
    max_size=12,
).map(" ".join)
texts = st.one_of(st.text(max_size=40), some_words)
several = st.lists(texts, min_size=1, max_size=3)


def squad_normalise(text: str) -> str:
    """SQuAD v1.1's normalisation, rule by rule: lower, without punctuation, without articles, single spaces."""
    lowered = text.lower()
    unpunctuated = "".join(character for character in lowered if character not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", unpunctuated).split())


def squad(text: str, references: Sequence[str]) -> tuple[float, float]:
    """Exact match and F1 by the rules of SQuAD v1.1, each at its best reference."""
    scores = []
    for reference in references:
        said, wanted = squad_normalise(text).split(), squad_normalise(reference).split()
        same = sum((Counter(said) & Counter(wanted)).values())
        f1 = 0.0
        if same:
            precision, recall = 1.0 * same / len(said), 1.0 * same / len(wanted)
            f1 = (2 * precision * recall) / (precision + recall)
        scores.append((float(squad_normalise(text) == squad_normalise(reference)), f1))
    return max(exact for exact, _ in scores), max(f1 for _, f1 in scores)


@given(text=texts, references=several)
@example(text="the", references=[""])
@example(text="The, a; an!", references=["Athens"])
@example(text="İstanbul", references=["i̇stanbul"])
@EXAMPLES
def test_exact_match_and_f1_are_those_of_squad(text: str, references: list[str]):
    """On any texts in NFC, exact match and token F1 are equal to the SQuAD v1.1 rules."""
    text, *references = (unicodedata.normalize("NFC", each) for each in (text, *references))
    assert (exact_match(text, references), token_f1(text, references)) == squad(text, references)


@given(text=texts, references=several)
@EXAMPLES
def test_a_letter_typed_in_two_ways_is_one_letter(text: str, references: list[str]):
    """Every scorer gives the same number for a text whose accents are written apart."""
    apart = unicodedata.normalize("NFD", text)
    for name, score in SCORERS.items():
        assert score(apart, references) == pytest.approx(
            score(unicodedata.normalize("NFC", text), references), nan_ok=True
        ), name


@given(text=texts, references=several)
@EXAMPLES
def test_every_score_is_a_share_or_does_not_apply(text: str, references: list[str]):
    """A scorer gives a number in [0, 1] or NaN, and whether it is NaN follows from the references alone."""
    for name, score in SCORERS.items():
        value = score(text, references)
        assert math.isnan(value) or 0.0 <= value <= 1.0, name
        assert math.isnan(value) == math.isnan(score("something else 5", references)), name


@given(text=texts, references=several)
@EXAMPLES
def test_an_exact_answer_is_also_contained_and_has_the_full_f1(text: str, references: list[str]):
    """Where SQuAD sees the reference itself, and it has words, the other lexical scorers agree."""
    if exact_match(text, references) and words(squad_normalise(text)):
        assert token_f1(text, references) == containment(text, references) == 1.0


def subsequence_by_table(left: Sequence[str], right: Sequence[str]) -> int:
    """The textbook's table of the longest common subsequence."""
    row = [0] * (len(right) + 1)
    for each in left:
        above, row = row, [0]
        for place, other in enumerate(right, 1):
            row.append(above[place - 1] + 1 if each == other else max(above[place], row[-1]))
    return row[-1]


@given(left=st.lists(st.sampled_from("abcd"), max_size=90), right=st.lists(st.sampled_from("abcde"), max_size=90))
@EXAMPLES
def test_the_common_subsequence_is_that_of_the_textbook(left: list[str], right: list[str]):
    """The bit-parallel algorithm finds the same length as the table of all prefixes."""
    assert common_subsequence(left, right) == subsequence_by_table(left, right) == common_subsequence(right, left)


@given(text=st.text(st.characters(max_codepoint=127)))
@EXAMPLES
def test_ascii_text_is_cut_as_rouge_score_cuts_it(text: str):
    """Everything but letters and digits separates words, as in rouge-score without a stemmer."""
    assert list(words(text)) == re.sub(r"[^a-z0-9]+", " ", text.lower()).split()


def test_rouge_l_is_that_of_its_paper():
    """Lin's own example: the order of words counts, not only which they are."""
    reference = ["police killed the gunman"]
    assert rouge_l("police kill the gunman", reference) == 0.75
    assert rouge_l("the gunman kill police", reference) == 0.5


SCRIPTS = ["北京是中国的首都", "Москва", "القاهرة", "हिन्दी में", "กรุงเทพมหานคร", "한국어", "αθήνα", "ירושלים"]


@pytest.mark.parametrize("reference", SCRIPTS)
def test_no_script_is_normalised_to_nothing(reference: str):
    """A right answer in any script has full marks, and one in another script has none."""
    for name in ("answer_exact", "answer_f1", "answer_contains", "answer_rouge_l"):
        assert SCORERS[name](reference, [reference]) == 1.0, name
        assert SCORERS[name]("Denver Broncos", [reference]) == 0.0, name


def test_a_reference_is_found_inside_a_text_without_spaces():
    """In scripts that put no space between words, the letters of the reference follow each other in the answer."""
    assert containment("首都是北京。", ["北京"]) == 1.0
    assert containment("首都是南京。", ["北京"]) == 0.0


def test_a_reference_is_found_only_as_whole_words():
    """“art” is not found in “party”, and quotation marks of any kind do not hide a word."""
    assert containment("a party", ["art"]) == 0.0
    assert containment("It is “art”, they say", ["Art"]) == 1.0


NUMERIC = [
    ("It is 300 m tall", "300 metres", 1),
    ("984 ft", "300 m", 1),
    ("3 km", "300 m", 0),
    ("1,000,000", "one million", 1),
    ("$5m", "5 million dollars", 1),
    ("1.2 billion euros", "€1,200,000,000", 1),
    ("It costs 5 EUR", "USD 5", 0),
    ("5 pounds", "£5", 1),
    ("20 per cent", "20%", 1),
    ("3,5 %", "3.5 %", 1),
    ("10 000 km²", "10,000 square kilometres", 1),
    ("37 °C", "98.6 °F", 1),
    ("−5 °C", "-5 degrees Celsius", 1),
    ("5 °C", "-5 degrees Celsius", 0),
    ("2 years", "24 months", 1),
    ("5 MB", "5 GB", 0),
    ("8 km", "5 miles", 1),
    ("9 km", "5 miles", 0),
    ("62", "62 mph", 1),
    ("between 5 and 10 days", "5-10 days", 1),
    ("between 5 and 11 days", "5-10 days", 0),
    ("twenty-one", "21", 1),
    ("three hundred and eight", "308", 1),
    ("GPT4", "4", 0),
    ("version 1.2.3", "2", 0),
    ("March 1, 2024", "2024-03-01", 1),
    ("the 1st of March, 2024", "1 March 2024", 1),
    ("01/03/2024", "1 March 2024", 1),
    ("15.09.2020", "Sept 15th 2020", 1),
    ("March 2024", "1 March 2024", 0),
    ("12 March 2024", "March 2024", 1),
    ("12 March 2024", "2024", 1),
    ("12 March 2023", "2024", 0),
    ("44 BC", "44 BCE", 1),
    ("٣٠٠", "300", 1),
    ("Paris", "5", 0),
]


@pytest.mark.parametrize(("said", "wanted", "expected"), NUMERIC)
def test_numbers_and_dates_are_compared_by_what_they_mean(said: str, wanted: str, expected: int):
    """Separators, words, units, currencies and forms of dates do not matter, but other numbers do."""
    assert numeric_equality(said, [wanted]) == expected


@pytest.mark.parametrize("reference", ["Paris", "one of them", "in May", "GPT4", ""])
def test_a_reference_without_a_number_asks_for_none(reference: str):
    """The numeric scorer does not apply to a reference without a number or date."""
    assert math.isnan(numeric_equality("5 km", [reference]))


@given(
    st.integers(-(10**9), 10**9),
    st.sampled_from(["", " km", " %", " kg"]),
    st.sampled_from(["{:d}", "{:,d}", "about {:d}"]),
)
@EXAMPLES
def test_a_number_equals_itself_however_it_is_grouped_and_no_other(number: int, unit: str, form: str):
    """Any whole number is found in its own writing with a unit, and its neighbour is not."""
    said = f"It is {form.format(number)}{unit}."
    assert numeric_equality(said, [f"{number}{unit}"]) == 1.0
    assert numeric_equality(said, [f"{number + 1}{unit}"]) == 0.0


@given(st.dates())
@EXAMPLES
def test_a_date_equals_itself_in_every_form(day):
    """A day is the same in ISO, with the month's name before or after it, and in figures."""
    name, year = day.strftime("%B"), f"{day.year:04d}"
    forms = [f"{year}-{day:%m-%d}", f"{day.day} {name} {year}", f"{name} {day.day}, {year}", f"{day:%d.%m.}{year}"]
    assert {take_dates(form)[0][0][0] for form in forms} == {(day.year, day.month, day.day)}
    assert all(numeric_equality(said, [wanted]) == 1.0 for said in forms for wanted in forms)


POLARITY = [
    ("Yes.", "Yes", 1),
    ("No.", "Yes", 0),
    ("No it is not", "Yes", 0),
    ("It is allowed.", "Yes", 1),
    ("It isn't allowed", "Yes", 0),
    ("True.", "Yes", 1),
    ("Staff may not carry over leave", "Staff may carry over leave", 0),
    ("Staff may carry over five days, but not more than ten.", "Staff may carry over five days", 1),
    ("No staff may smoke here", "Staff may smoke here", 0),
    ("No, staff may not smoke.", "Staff may not smoke.", 1),
    ("Smoking is forbidden", "Smoking is not allowed", 1),
    ("Only managers may approve it.", "No, only managers may approve it.", 1),
    ("You cannot return it", "You can’t return it", 1),
    ("You can return it", "You can't return it", 0),
    ("You must pay no later than Friday", "You must pay by Friday", 1),
    ("Staff not only may smoke, they must.", "Staff may smoke", 1),
]


@pytest.mark.parametrize(("said", "wanted", "expected"), POLARITY)
def test_a_lost_or_added_negation_is_seen(said: str, wanted: str, expected: int):
    """An answer with the opposite polarity scores 0; other words for the same statement score 1."""
    assert polarity(said, [wanted]) == expected


@pytest.mark.parametrize("reference", ["Paris", "300 m", "", "Denver Broncos"])
def test_a_reference_that_states_nothing_has_no_polarity(reference: str):
    """The yes/no scorer does not apply to a name or a number."""
    assert math.isnan(polarity("Yes", [reference]))


ABSTAINING = [
    "I don't know.",
    "I’m sorry, but I can’t help with that.",
    "Sorry, but the provided context does not contain this information.",
    "The answer is not mentioned in the given passage.",
    "Not in the context.",
    "As an AI language model, I cannot provide medical advice.",
    "There is no information about this in the documents.",
    "Cannot be determined from the text.",
    "No information was found.",
    "It is not stated.",
    "N/A",
    "Ich weiß es nicht.",
    "Je ne sais pas",
    "No lo sé",
]
ANSWERING = [
    "Paris",
    "Yes, the document does not mention it.",
    "I don't know the exact day, but it was in March 1914.",
    "The unknown soldier",
    "It is not allowed.",
    "",
    f"Paris. {'It is a city in France. ' * 40} I don't know.",
]


@pytest.mark.parametrize("text", ABSTAINING)
def test_an_abstention_is_told_and_scores_nothing(text: str):
    """A text that declines to answer is an abstention and scores 0 in every measure."""
    assert is_abstention(text)
    references = ["No, 5 km: I will not say that in the context of information"]
    assert {score(text, references) for score in SCORERS.values()} == {0.0}


@pytest.mark.parametrize("text", ANSWERING)
def test_in_doubt_a_text_is_an_answer(text: str):
    """What answers all the same, or only mentions not knowing, is scored on its merits."""
    assert not is_abstention(text)


def test_to_abstain_is_right_where_the_reference_does():
    """A question without an answer is answered by saying so."""
    reference = ["Not in the context."]
    assert SCORERS["answer_exact"]("not in the context", reference) == 1.0
    assert SCORERS["answer_exact"]("Paris", reference) == 0.0


@EVERY
@pytest.mark.parametrize("text", ["", "  \n", "…", "---", "\u200b"])
def test_an_empty_answer_scores_nothing_and_is_counted(name: str, text: str):
    """An answer without a letter, digit or sign is empty and scores 0, even where SQuAD finds it equal."""
    assert is_empty(text)
    assert SCORERS[name](text, ["Yes, it is 5 km", "the"]) == 0.0


@EVERY
def test_without_references_nothing_applies(name: str):
    """Without references an answer has no score."""
    assert math.isnan(SCORERS[name]("Paris", []))


@EVERY
@pytest.mark.parametrize(
    "unit", ["word ", "1 234 ", "1,", "9", "five hundred ", "n't, ", "may 5 ", "東", "$", " ", "\0"]
)
def test_a_very_long_answer_is_scored_all_the_same(name: str, unit: str):
    """200 kB of anything, against themselves and a reference of the usual length, give a number."""
    text = (unit * LONG)[:LONG]
    assert 0.0 <= SCORERS[name](text, ["Yes, it is 300 m tall since 1 March 2024", text]) <= 1.0


def test_rouge_reads_no_further_than_it_says():
    """Words after the stated number change nothing."""
    text = "a b " * (LONGEST_COMPARED // 2)
    assert rouge_l(text + "wrong " * LONGEST_COMPARED, [text]) == 1.0


GRADES = {"a": 1, "b": 0, "c": 2}


def test_citations_are_judged_against_the_graded_documents():
    """Precision counts each citation once; recall counts relevant documents; others are irrelevant."""
    assert citation_precision(["a", "a", "b", "x", "c"], GRADES) == 0.5
    assert citation_recall(["a", "a", "x"], GRADES) == 0.5
    assert context_recall(["c", "x", "a"], GRADES) == 1.0


def test_who_cites_nothing_is_not_imprecise():
    """Without a citation there is no precision, but a recall of 0; without a relevant document there is neither."""
    assert math.isnan(citation_precision([], GRADES))
    assert citation_recall([], GRADES) == context_recall([], GRADES) == 0.0
    for score in (citation_precision, citation_recall, context_recall):
        assert math.isnan(score(["a"], {"a": 0}))
