"""Suites made of a corpus: where every query comes from, what is refused, and what a reviewer keeps."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.adapters.openai.question_writer import QuestionWriter
from monitor.cli.suite_generate import GenerationOptions, QuestionModel, generate_suite
from monitor.cli.suite_lint import lint_suites
from monitor.cli.suite_review import review_suite
from monitor.errors import AdapterError, ConfigError, SuiteError
from monitor.evaluation.passages.quotes import normalise
from monitor.suites.generation import review
from monitor.suites.generation.sampling import Sample
from monitor.suites.generation.words import sentences_of, words_of
from monitor.suites.reading import read_corpus, read_suite
from tests.contract.local_server import Answer, ReceivedRequest, reply, serving

PLACES = ["harbour", "library", "museum", "airport", "theatre", "market", "stadium", "garden"]
THINGS = ["tickets", "lockers", "bicycles", "pushchairs", "guides", "lamps", "blankets", "cameras"]
KINDS = ("known-item", "title", "sentence")


def a_document(number: int) -> dict[str, str]:
    """One of 64 documents that differ in a place, a thing and numbers."""
    place, thing = PLACES[number % 8], THINGS[number // 8]
    text = (
        f"The {place} lends {thing} to visitors who arrive before {number % 12 + 1} in the morning. "
        f"Additional {thing} number {number + 100} are stored near the northern {place} entrance during winter. "
        f"A deposit of {number + 20} crowns is currently required for lost {thing}."
    )
    return {"_id": f"d{number}", "title": f"Borrowing {thing} at the {place}", "text": text}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A folder with a corpus."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    rows = "".join(json.dumps(a_document(number)) + "\n" for number in range(64))
    (folder / "corpus.jsonl").write_text(rows, encoding="utf-8")
    return folder


def make(
    corpus: Path, name: str, kinds: tuple[str, ...] = KINDS, model: QuestionModel | None = None, **more: Any
) -> Any:
    """A suite of the corpus beside it, and what the command told."""
    folder = corpus.parent / name
    wanted = GenerationOptions(**{"kinds": kinds, "count": 10, "seed": 1, **more})
    return folder, asyncio.run(generate_suite(corpus, folder, wanted, model))


def rows_of(folder: Path, name: str) -> list[dict[str, Any]]:
    """The rows of a file of a suite."""
    return [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()]


def content(folder: Path) -> dict[str, bytes]:
    """Every file but the head, which has the suite's name."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "suite.yaml")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_generated_suite_can_be_read_and_linted(corpus: Path):
    """Ten queries of each kind, each kind a stratum, each source a cluster; a lint finds no error and no leak."""
    folder, result = make(corpus, "made")
    suite = read_suite(folder)
    assert result.data["queries"] == dict.fromkeys(KINDS, 10)
    assert suite.strata == KINDS
    assert all(query.is_judged for query in suite.queries)
    found = asyncio.run(lint_suites([str(folder)])).data["suites"][0]
    assert found["errors"] == 0
    assert "leaked-answer" not in {each["rule"] for each in found["findings"]}


def test_the_same_seed_makes_the_same_suite(corpus: Path):
    """Byte for byte; another seed makes another."""
    (first, _), (second, _), (third, _) = make(corpus, "a"), make(corpus, "b"), make(corpus, "c", seed=2)
    assert content(first) == content(second)
    assert content(first) != content(third)


def test_the_order_of_the_corpus_does_not_matter(corpus: Path):
    """The same documents in another order give the same queries."""
    first, _ = make(corpus, "a")
    lines = (corpus / "corpus.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (corpus / "corpus.jsonl").write_text("".join(reversed(lines)), encoding="utf-8")
    second, _ = make(corpus, "b")
    assert rows_of(first, "queries.jsonl") == rows_of(second, "queries.jsonl")


def test_every_provenance_is_a_true_place(corpus: Path):
    """Document, field and characters hold the words of the query, and judged passages quote what stands there."""
    folder, _ = make(corpus, "made")
    documents = {each.doc_id: each for each in read_corpus(folder)}
    for row in rows_of(folder, "queries.jsonl"):
        told = row["metadata"]["provenance"]
        source = getattr(documents[told["doc_id"]], told["field"])[told["start"] : told["end"]]
        assert source
        assert told["rule"]
        if told["kind"] != "sentence":  # some of its words are replaced
            assert set(normalise(row["text"]).split()) <= set(normalise(source).split())
    for row in rows_of(folder, "passages.jsonl"):
        assert documents[row["doc_id"]].text[row["start"] : row["end"]] == row["quote"]


def test_a_query_does_not_stand_word_for_word_in_its_document(corpus: Path):
    """Matching a run of words is not enough to find what a sentence or known-item query asks for."""
    folder, _ = make(corpus, "made", ("known-item", "sentence"))
    documents = {each.doc_id: each for each in read_corpus(folder)}
    for row in rows_of(folder, "queries.jsonl"):
        document = documents[row["metadata"]["provenance"]["doc_id"]]
        assert normalise(row["text"]) not in normalise(document.full_text)


def test_titles_that_cannot_be_asked_for_are_counted(corpus: Path):
    """No title, a title of two documents, and a long title without function words are refused with their reasons."""
    extra = [
        {"_id": "x1", "title": "", "text": "One."},
        {"_id": "x2", "title": "Annual spring fair", "text": "Two."},
        {"_id": "x3", "title": "annual Spring fair!", "text": "Three."},
        {"_id": "x4", "title": "Northern line timetable changes", "text": "Four."},
    ]
    (corpus / "corpus.jsonl").write_text("".join(json.dumps(each) + "\n" for each in [*extra, a_document(1)]))
    _, result = make(corpus, "made", ("title",))
    assert result.data["queries"] == {"title": 1}
    assert result.data["refused"] == {
        "title: no title": 1,
        "title: another document has the same title": 2,
        "title: a long title without a function word would be a quotation of its document": 1,
    }


def test_documents_can_stay_in_production(corpus: Path):
    """Without the corpus the suite has queries and judgements only."""
    folder, _ = make(corpus, "made", with_corpus=False)
    assert not (folder / "corpus.jsonl").exists()
    assert len(read_suite(folder).queries) == 30


def test_what_is_there_is_not_overwritten(corpus: Path):
    """A suite that exists is refused and stays as it is; nothing else is left behind."""
    folder, _ = make(corpus, "made")
    before = content(folder)
    with pytest.raises(SuiteError, match="exists already; nothing was written"):
        make(corpus, "made")
    assert content(folder) == before
    assert sorted(path.name for path in corpus.parent.iterdir()) == ["corpus", "made"]


@pytest.mark.parametrize(
    ("kinds", "problem"),
    [
        (("titles",), 'unknown kind "titles"'),
        (("title", "minimal-pairs"), "minimal-pairs make a suite of their own"),
        (("question",), "give --llm-url and --llm-model"),
    ],
)
def test_kinds_that_cannot_be_made_are_refused(corpus: Path, kinds: tuple[str, ...], problem: str):
    """Each mistake is one line that says what to do."""
    with pytest.raises(SuiteError, match=problem):
        make(corpus, "made", kinds)


def test_a_corpus_of_nothing_is_refused(tmp_path: Path):
    """A missing corpus and one of which nothing can be made are told apart, and nothing is written."""
    with pytest.raises(SuiteError, match="no such corpus"):
        make(tmp_path / "nowhere", "made")
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "corpus.jsonl").write_text('{"_id": "a", "text": "Short."}\n')
    with pytest.raises(SuiteError, match="no query could be made from it: 1 title: no title"):
        make(tmp_path / "corpus", "made", ("title",))
    assert not (tmp_path / "made").exists()


def test_sentences_end_where_they_end():
    """Abbreviations, initials and figures end none; empty lines and bullets do."""
    text = "Dr. Ada B. Lane paid 3.5 crowns, i.e. little.  It rained.\n\nA heading\n- One thing\n- Another"
    found = [text[each.start : each.end] for each in sentences_of(text)]
    assert found == [
        "Dr. Ada B. Lane paid 3.5 crowns, i.e. little.",
        "It rained.",
        "A heading",
        "- One thing",
        "- Another",
    ]


@given(st.text())
def test_words_and_sentences_stand_where_they_are_said_to(text: str):
    """Places are true for any text, and sentences leave out nothing but space."""
    assert all(text[word.start : word.end] == word.text for word in words_of(text))
    told = "".join(text[each.start : each.end] for each in sentences_of(text))
    assert "".join(told.split()) == "".join(text.split())


@given(st.lists(st.text(), unique=True), st.integers(1, 5), st.integers())
def test_a_sample_does_not_depend_on_order_or_repetition(names: list[str], size: int, seed: int):
    """The same names, in another order and twice, give the same sample of distinct names."""
    once, twice = Sample[str](size, seed, "test"), Sample[str](size, seed, "test")
    for name in names:
        once.offer(name, name)
    for name in [*reversed(names), *names]:
        twice.offer(name, name)
    assert once.items() == twice.items()
    assert len(set(once.items())) == min(size, len(names))


# Review


def decide(folder: Path, decisions: Mapping[int, str], other: str = "no") -> None:
    """Fill in the review file of a suite."""
    header, *lines = (folder / review.FILE).read_text(encoding="utf-8").splitlines()
    filled = [line.replace("\t\t", f"\t{decisions.get(number, other)}\t", 1) for number, line in enumerate(lines)]
    (folder / review.FILE).write_text("\n".join([header, *filled]) + "\n", encoding="utf-8")


def test_a_generated_suite_says_that_nobody_has_reviewed_it(corpus: Path):
    """As long as the review file is there, a lint has something to say."""
    folder, _ = make(corpus, "made")
    assert [each.rule for each in review.unreviewed(folder)] == ["unreviewed"]
    decide(folder, {}, "yes")
    asyncio.run(review_suite(folder, corpus.parent / "kept", None))
    assert list(review.unreviewed(corpus.parent / "kept")) == []


def test_accepted_queries_are_kept_with_their_judgements(corpus: Path):
    """A query of each manner of judgement is accepted: both are left, and nothing of the rejected ones."""
    folder, _ = make(corpus, "made")
    decide(folder, {0: "yes", 25: "Yes"})
    result = asyncio.run(review_suite(folder, corpus.parent / "kept", None))
    kept, before = read_suite(corpus.parent / "kept"), read_suite(folder)
    assert (result.data["accepted"], result.data["rejected"]) == (2, 28)
    assert kept.queries == (before.queries[0], before.queries[25])


@pytest.mark.parametrize(
    ("decisions", "other", "problem"),
    [
        ({4: "perhaps"}, "yes", r"review\.tsv:6: accept is 'perhaps'; write yes or no"),
        ({0: ""}, "yes", r"review\.tsv:2: accept is ''; write yes or no"),
        ({}, "no", r"review\.tsv: no query is accepted"),
    ],
)
def test_a_review_that_is_not_finished_is_refused(corpus: Path, decisions: dict[int, str], other: str, problem: str):
    """File and line are named, and nothing is written."""
    folder, _ = make(corpus, "made")
    decide(folder, decisions, other)
    with pytest.raises(SuiteError, match=problem):
        asyncio.run(review_suite(folder, corpus.parent / "kept", None))
    assert not (corpus.parent / "kept").exists()


def test_a_review_must_fit_its_suite(corpus: Path):
    """A line too many and a line too few are refused."""
    folder, _ = make(corpus, "made")
    decide(folder, {}, "yes")
    lines = (folder / review.FILE).read_text(encoding="utf-8").splitlines()
    for changed, problem in (([*lines, "q0\tyes"], "unknown query q0"), (lines[:-1], "has no line")):
        (folder / review.FILE).write_text("\n".join(changed) + "\n", encoding="utf-8")
        with pytest.raises(SuiteError, match=problem):
            asyncio.run(review_suite(folder, corpus.parent / "kept", None))


# Questions by a language model


async def write_question(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
    """Answer as a model would: a question about the first number of the passage, which is its answer."""
    passage = json.loads(asked.body)["messages"][1]["content"]
    number = next(word for word in passage.split() if word.isdigit())
    said = json.dumps({"question": f"Which figure, out of all, is about {number}?", "answer": number})
    await reply(body={"choices": [{"message": {"content": said}}]})(asked, writer)


def say(said: str) -> Answer:
    """A model that says the same whatever it is asked."""
    return reply(body={"choices": [{"message": {"content": said}}]})


def ask_model(corpus: Path, answer: Answer, name: str = "made", **more: Any) -> tuple[Any, int]:
    """What generating three questions gave, and how often the model was asked."""

    async def run() -> tuple[Any, int]:
        async with serving(answer) as server:
            model = QuestionModel(**{
                "url": f"http://127.0.0.1:{server.port}/v1", "name": "small", "key_env": "", "budget": 50,
                "cache": corpus.parent / "cache.jsonl", **more,
            })  # fmt: skip
            wanted = GenerationOptions(kinds=("question",), count=3, seed=1)
            # The URL is a part of what an answer is kept under, and the port differs each time.
            return await generate_suite(corpus, corpus.parent / name, wanted, model), len(server.requests)

    return asyncio.run(run())


def test_a_question_comes_with_its_answer_and_its_passage(corpus: Path):
    """What the model wrote becomes queries whose answers stand in the judged passages."""
    result, n_asked = ask_model(corpus, write_question)
    assert (result.data["queries"], n_asked) == ({"question": 3}, 3)
    for query in read_suite(corpus.parent / "made").queries:
        assert query.answers[0] in (query.passages[0].quote or "")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("I would ask…", "the model's answer is not JSON"),
        ('["Where?"]', "the model's answer has no question or no answer"),
        ('{"question": "Where is it then?"}', "the model's answer has no question or no answer"),
        ('{"question": "Where?", "answer": "The"}', "the model's question does not have 4 to 40 words"),
        ('{"question": "In what town is it?", "answer": "Rome"}', "the model's answer is not in the passage"),
    ],
)  # fmt: skip
def test_bad_answers_are_counted_with_their_reason(corpus: Path, said: str, reason: str):
    """No question comes of them, and the error says why; the calls stop where the budget does."""
    with pytest.raises(SuiteError, match=f"5 question: {reason}.*1 question: the budget of calls is spent"):
        ask_model(corpus, say(said), budget=5)


def test_nothing_is_paid_for_twice(tmp_path: Path):
    """A second run asks the cache and not the model, also after the first was killed while writing to it."""
    cache = tmp_path / "cache.jsonl"

    async def run() -> tuple[list[str | None], int]:
        async with serving(say("said")) as server:
            asked: list[str | None] = []
            for _ in range(2):
                writer = QuestionWriter(server.url("/v1"), "small", "key", budget=2, cache=cache)
                asked += [await writer.write("write", passage) for passage in ("a", "b", "c")]
                await writer.close()
                with cache.open("ab") as file:
                    file.write(b'{"key": "cut o')
            return asked, len(server.requests)

    asked, n_asked = asyncio.run(run())
    assert n_asked == 3
    assert asked == ["said", "said", None, "said", "said", "said"]


def test_a_model_out_of_reach_is_an_error_with_a_reason(corpus: Path):
    """The server's own words are not repeated, and what was answered before is kept."""
    with pytest.raises(AdapterError, match="HTTP 500") as caught:
        ask_model(corpus, reply(500, {"error": "the key s3cret is bad"}))
    assert "s3cret" not in str(caught.value)
    assert not (corpus.parent / "made").exists()


def test_a_key_that_is_not_set_is_told(corpus: Path):
    """The variable is named."""
    with pytest.raises(ConfigError, match="the environment variable NO_SUCH_KEY is not set"):
        ask_model(corpus, write_question, key_env="NO_SUCH_KEY")
