"""The demo's reader: which words of a text it takes for the answer."""

import asyncio
import threading
from pathlib import Path

import pytest

from monitor.demo.batching import Batch
from monitor.demo.reading import Reader, split
from monitor.demo.spans import content_stems, kind_of_answer, parse
from monitor.evaluation.answers.scorers import token_f1
from monitor.suites.reading import read_corpus, read_suite
from tests.waiting import PATIENCE_S

BRIDGE = (
    "The Tarn Bridge was designed by Ilse Brandt and opened on 12 March 1931. It carried 4,200 vehicles a day before "
    "the tunnel was dug. The bridge stands near the harbour of Ostby, where Dr. Hale kept his boats."
)
CHEESE = "Makers in Ostby salt the cheese for nine days. The rind turns orange because of a bacterium."
READER = Reader([BRIDGE, CHEESE])


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Who designed the Tarn Bridge?", "Ilse Brandt"),
        ("When was the Tarn Bridge opened?", "12 March 1931"),
        ("How many vehicles did the bridge carry a day?", "4,200"),
        ("For how many days is the cheese salted?", "nine"),
        ("What colour does the rind turn?", "orange"),
    ],
)
def test_the_kind_of_question_picks_the_kind_of_words(question, answer):
    """Who, when and how many are answered by a name, a date and a number beside the question's words."""
    assert token_f1(READER.read(question, [CHEESE, BRIDGE]), [answer]) > 0.6


def test_the_answer_comes_from_the_texts_it_is_given():
    """The same question has another answer where the texts say something else, and never one from its memory."""
    other = "The Tarn Bridge was designed by Olav Nilsen and opened in 1874."
    assert READER.read("Who designed the Tarn Bridge?", [other]) == "Olav Nilsen"
    assert READER.read("Who designed the Tarn Bridge?", [CHEESE]) in CHEESE


@pytest.mark.parametrize("contexts", [[], [""], ["  \n "]])
def test_texts_without_words_give_an_empty_answer(contexts):
    """Nothing to read from is answered by nothing, not by an error."""
    assert READER.read("Who designed it?", contexts) == ""


@pytest.mark.parametrize("question", ["", "?!", "東京はどこですか", "who " * 5_000])
def test_any_question_is_answered_with_words_of_the_text(question):
    """A question without words, in another script or without an end does no harm."""
    assert READER.read(question, [BRIDGE]) in BRIDGE


@pytest.mark.parametrize("text", ["…", "東京", "word " * 1_000, "a (b) [c]; d"])
def test_any_text_can_be_read(text):
    """Signs without words, another script, a sentence without an end: what is read is in it."""
    assert READER.read("What is it?", [text]) in text


def test_reading_twice_reads_the_same():
    """The order of the texts does not matter as long as no two spans fit equally well, and chance plays no part."""
    question = "Who designed the Tarn Bridge?"
    assert {READER.read(question, texts) for texts in ([BRIDGE, CHEESE], [CHEESE, BRIDGE], [BRIDGE, BRIDGE])} == {
        "Ilse Brandt"
    }


def test_a_sentence_does_not_end_at_an_abbreviation():
    """A title or an initial belongs to the name that follows it."""
    assert split("Ask Dr. Hale or J. Brandt. They know.") == ["Ask Dr. Hale or J. Brandt.", "They know."]
    assert split("  ") == []


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("In what year did it open?", "date"),
        ("How much does it cost?", "number"),
        ("Which city is it in?", "name"),
        ("Why did it fall?", "phrase"),
        ("bridge opening fee", "anything"),
    ],
)
def test_a_question_says_what_kind_of_thing_it_asks_for(question, kind):
    """The words that ask decide; keywords ask for anything."""
    assert kind_of_answer(question) == kind


def test_a_span_is_a_piece_of_its_sentence():
    """Each span stands in the sentence as it is, crosses no comma, and does not begin with a word like “the”."""
    sentence = "The Tarn Bridge, near the harbour of Ostby, cost $4,200 in 1931."
    spans = {span.text: span.kind for span in parse(sentence).spans}
    assert all(text in sentence for text in spans)
    assert {
        "Tarn Bridge": "name",
        "1931": "date",
        "$4,200": "number",
        "harbour of Ostby": "phrase",
    }.items() <= spans.items()
    assert not any(text.startswith(("The ", "the ")) or "Bridge, near" in text for text in spans)


def test_words_of_one_stem_are_one_word():
    """A question and its answer seldom use the same form of a word."""
    assert content_stems("Who designed it?") == content_stems("the designs")


@pytest.mark.slow
def test_the_reader_finds_a_third_of_what_was_asked(xquad: Path):
    """On 1,190 public questions with the right paragraph it reaches a token F1 of at least a third."""
    texts = {each.doc_id: each.text for each in read_corpus(xquad)}
    reader = Reader(texts.values())
    scores = [
        token_f1(reader.read(query.text, [texts[doc_id] for doc_id in query.grades]), query.answers)
        for query in read_suite(xquad).queries
    ]
    assert sum(scores) / len(scores) > 0.33


def test_what_comes_meanwhile_is_done_together():
    """Whoever asks while a batch is under way shares the next one, and everybody gets their own."""
    batches: list[list[int]] = []
    free, begun = threading.Event(), threading.Event()

    def work(asked):
        batches.append(list(asked))
        begun.set()
        free.wait(PATIENCE_S)
        return [each * 10 for each in asked]

    async def run():
        batch = Batch(asyncio.Lock(), work)
        first = asyncio.create_task(batch.ask(1))
        await asyncio.to_thread(begun.wait, PATIENCE_S)
        rest = [asyncio.create_task(batch.ask(number)) for number in (2, 3, 4)]
        await asyncio.sleep(0)
        free.set()
        return await asyncio.gather(first, *rest)

    assert asyncio.run(run()) == [10, 20, 30, 40]
    assert batches == [[1], [2, 3, 4]]


def test_a_batch_that_fails_leaves_nobody_waiting():
    """Everybody in a batch hears of its failure, and the next batch is done."""

    def work(asked):
        return [1 / each for each in asked]

    async def run():
        batch = Batch(asyncio.Lock(), work)
        async with asyncio.timeout(PATIENCE_S):
            failed = await asyncio.gather(batch.ask(0), batch.ask(1), return_exceptions=True)
            return failed, await batch.ask(2)

    failed, after = asyncio.run(run())
    assert isinstance(failed[0], ZeroDivisionError)
    assert after == 0.5
