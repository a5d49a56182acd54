"""Judgements by place and by words survive when the same text is cut otherwise."""

import csv
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import ComparisonError
from monitor.evaluation.measures import REPORTED
from monitor.evaluation.passages.labels import label_states, resolve, unit_of
from monitor.evaluation.passages.quotes import look_for_quotes
from monitor.evaluation.passages.spans import GAP
from monitor.evaluation.scoring import fingerprint, measure
from monitor.model.measurements import Measured
from monitor.model.passages import LabelState, Manner, Passage, Sources
from monitor.model.runs import Outcome, Ranking
from monitor.model.suites import Query
from monitor.suites.passages import read_passages
from tests.builders import a_query, a_run, a_suite
from tests.properties import examples

Span = tuple[int, int]
Chunk = tuple[str, int, int]
"""Source document, start and end."""

TEXT = "Refunds are paid within thirty days. A receipt is needed. Gift cards are never refunded, not even unused ones."


def asked(*passages: Passage, grades: dict[str, int] | None = None) -> Query:
    """A query judged by these passages."""
    return replace(a_query("q1", grades or {}), passages=passages)


def ranked(chunks: Sequence[Chunk], texts: dict[str, str] | None = None, *, tells_places: bool = True) -> Ranking:
    """A ranking of these chunks with their places, their texts or both."""
    ids = tuple(f"{doc_id}#{start}-{end}/{place}" for place, (doc_id, start, end) in enumerate(chunks))
    doc_ids, starts, ends = zip(*chunks, strict=True) if chunks else ((), (), ())
    sources = Sources(doc_ids, starts, ends) if tells_places else None
    told = tuple(texts[doc_id][start:end] for doc_id, start, end in chunks) if texts else None
    return Ranking(doc_ids=ids, sources=sources, texts=told)


def places(query: Query, ranking: Ranking) -> list[int | None]:
    """The position at which each passage was found."""
    resolved = resolve(query, look_for_quotes(ranking, query.passages))
    return [resolved.places.get(unit_of(number)) for number in range(len(query.passages))]


def values(measured: Measured) -> dict[str, list[float]]:
    """Every value of every measure."""
    return {name: each.values.tolist() for name, each in measured.measurements.items()}


def measured_with(queries: Sequence[Query], rankings: Sequence[Ranking]) -> Measured:
    """The measurements of these queries and rankings."""
    suite = a_suite(*queries)
    outcomes = tuple(
        Outcome(query_id=query.query_id, ranking=look_for_quotes(ranking, query.passages))
        for query, ranking in zip(queries, rankings, strict=True)
    )
    return measure(replace(a_run(suite, {}), outcomes=outcomes, fingerprint=fingerprint(outcomes)), suite, REPORTED)


def test_half_of_a_passage_is_enough_and_less_is_not():
    """A hit finds a passage with half of its characters, and not with one less."""
    query = asked(Passage(1, "d", 100, 200))
    assert places(query, ranked([("d", 150, 400)])) == [0]
    assert places(query, ranked([("d", 151, 400)])) == [None]
    assert places(query, ranked([("other", 100, 200)])) == [None]


def test_parts_that_are_less_than_half_add_up():
    """A passage that chunk borders cut into three is found with the part that makes it half, wherever it ranks."""
    query = asked(Passage(1, "d", 100, 200))
    assert places(query, ranked([("d", 0, 133), ("x", 0, 50), ("d", 133, 166), ("y", 0, 50)])) == [2]


def test_a_second_chunk_of_the_same_passage_gains_nothing_and_takes_no_rank():
    """Text that was there before moves nothing behind it."""
    query = asked(Passage(1, "d", 10, 20), Passage(1, "e", 0, 10))
    assert places(query, ranked([("d", 0, 100), ("d", 0, 50), ("e", 0, 50)])) == [0, 1]
    assert places(query, ranked([("d", 0, 100), ("x", 0, 9), ("d", 5, 50), ("e", 0, 50)])) == [0, 2]


def test_chunks_that_join_up_in_the_source_are_one_rank_in_whatever_order_they_come():
    """What follows a passage that was cut into three ranks as if it had not been cut."""
    query = asked(Passage(1, "e", 0, 10))
    for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0]):
        cut = [[("d", 0, 100), ("d", 100 + GAP, 200), ("d", 190, 300)][place] for place in order]
        assert places(query, ranked([*cut, ("e", 0, 50)])) == [1]


def test_chunks_of_one_document_that_do_not_join_up_are_ranks_of_their_own():
    """In a book that is one document, a passage that came tenth did not come first."""
    query = asked(Passage(1, "book", 9_000, 9_010))
    assert places(query, ranked([("book", 1_000 * i, 1_000 * i + 100) for i in range(10)])) == [9]


def test_a_piece_that_holds_two_passages_takes_two_ranks():
    """However much one chunk brings, no ranking is better than the ideal one."""
    query = asked(Passage(1, "d", 0, 10), Passage(2, "d", 50, 60), Passage(1, "e", 0, 10))
    ranking = ranked([("d", 0, 100), ("e", 0, 100)])
    assert places(query, ranking) == [1, 0, 2]
    assert set(map(tuple, values(measured_with([query], [ranking])).values())) == {(1.0,)}


def test_a_passage_judged_irrelevant_takes_one_rank():
    """A judgement of 0 is a judgement: its hit is judged, and gains nothing."""
    query = asked(Passage(0, "d", 0, 10), Passage(1, "e", 0, 10))
    measured = measured_with([query], [ranked([("d", 0, 100), ("e", 0, 100), ("x", 0, 100)])])
    assert values(measured)["mrr@10"] == [0.5]
    assert measured.judged_share == pytest.approx(2 / 3)


def test_documents_and_passages_can_be_judged_together():
    """A judged document is found by the first of its chunks, by the name of the source or of the hit."""
    query = asked(Passage(1, "d", 0, 10), grades={"guide": 1, "x#0-9/2": 1})
    resolved = resolve(query, ranked([("guide", 500, 600), ("guide", 0, 100), ("x", 0, 9), ("d", 0, 50)]))
    assert resolved.places == {"guide": 0, "x#0-9/2": 2, unit_of(0): 3}


def test_a_query_judged_by_documents_ranks_the_distinct_sources():
    """Ten chunks of one manual are one document, as they were before the manual was cut."""
    query = asked(grades={"b": 1})
    assert resolve(query, Ranking(doc_ids=("1", "2", "3"), sources=Sources(("a", "a", "b")))).places == {"b": 1}


def test_a_target_without_sources_has_hits_that_are_whole_documents():
    """A retriever of documents can be asked about passages of them."""
    assert places(asked(Passage(1, "d", 10, 20)), Ranking(doc_ids=("x", "d"))) == [1]


@pytest.mark.parametrize(
    ("passage", "ranking", "needed"),
    [
        (Passage(1, quote="thirty days"), Ranking(doc_ids=("d",)), "response.text"),
        (Passage(1, "d", 0, 10), Ranking(doc_ids=("c",), sources=Sources(("d",))), "response.start and response.end"),
        (
            Passage(1, "d", quote="thirty days"),
            Ranking(doc_ids=("c",), sources=Sources(("d",), (0,), (9,))),
            "response.text",
        ),
    ],
)
def test_a_judgement_that_the_target_cannot_answer_is_refused_and_no_zero(passage, ranking, needed):
    """Without places or texts nothing can be judged, and the message names the required fields."""
    with pytest.raises(ComparisonError, match=needed.replace(".", r"\.")):
        resolve(asked(passage), ranking)


@pytest.mark.parametrize(
    ("text", "manner"),
    [
        (TEXT, Manner.EXACT),
        ("… are paid —\n within “THIRTY” days. A rece", Manner.NORMALISED),
        ("Refunds are paid within", Manner.CUT),
        ("thirty days. A receipt is needed.", Manner.CUT),
        ("All refunds are usually paid within thirty days from us.", Manner.FUZZY),
    ],
)
def test_a_quote_is_found_as_strictly_as_possible(text, manner):
    """A quote is found exactly, by its words, in part at the border of a chunk, or fuzzily, and is recorded so."""
    passage = Passage(1, quote="Refunds are paid within thirty days")
    if manner is Manner.NORMALISED:
        passage = Passage(1, quote="are paid within thirty days")
    found = look_for_quotes(Ranking(doc_ids=("c",), texts=(text,)), [passage])
    assert found.texts is None
    assert [each.manner for each in found.sources.quoted] == [manner]


@pytest.mark.parametrize(
    "text",
    [
        "The buyer never refunds what the vendor within ten days must ship.",
        "Gift cards expire.",
        "within days thirty paid are Refunds",
        "",
    ],
)
def test_what_only_shares_words_with_a_quote_is_not_the_quote(text):
    """The same words in another order are no match."""
    passage = Passage(1, quote="The vendor must refund the buyer within ten days")
    assert look_for_quotes(Ranking(doc_ids=("c",), texts=(text,)), [passage]).sources.quoted == ()


def test_a_quote_that_stands_somewhere_is_not_found_roughly_elsewhere():
    """Its near-copy does not count where the passage itself was brought."""
    quote = "The vendor must refund the buyer within ten days"
    near = quote.replace("must", "must not")
    found = look_for_quotes(Ranking(doc_ids=("a", "b"), texts=(near, quote)), [Passage(1, quote=quote)])
    assert [(each.hit, each.manner) for each in found.sources.quoted] == [(1, Manner.EXACT)]


def states(query: Query, ranking: Ranking, *, complete: bool = False) -> list[LabelState | None]:
    """The state of each passage of a query."""
    found = label_states(query, look_for_quotes(ranking, query.passages), complete=complete)
    return [found.get(unit_of(number)) for number in range(len(query.passages))]


def test_each_state_of_a_label_is_told():
    """Valid, merged and split by place; what no hit touches is orphaned only where all chunks are known."""
    one = asked(Passage(1, "d", 10, 20))
    two = asked(Passage(1, "d", 10, 20), Passage(1, "d", 30, 40))
    assert states(one, ranked([("d", 0, 100)])) == [LabelState.VALID]
    assert states(two, ranked([("d", 0, 100)])) == [LabelState.MERGED, LabelState.MERGED]
    assert states(two, ranked([("d", 0, 25), ("d", 25, 100)])) == [LabelState.VALID, LabelState.VALID]
    assert states(one, ranked([("d", 0, 15), ("d", 15, 100)])) == [LabelState.SPLIT]
    assert states(one, ranked([("e", 0, 100)])) == [None]
    assert states(one, ranked([("e", 0, 100)]), complete=True) == [LabelState.ORPHANED]


def test_words_that_moved_can_be_anchored_again_and_words_that_went_cannot():
    """A quote at another place is re-anchorable; other words at its place orphan it."""
    query = asked(Passage(1, "d", 0, 35, TEXT[:35]))
    moved = {"d": "Nothing is refunded, whatever it may be. ", "e": TEXT}
    assert states(query, ranked([("d", 0, 40), ("e", 0, 100)], moved)) == [LabelState.RE_ANCHORABLE]
    assert states(query, ranked([("d", 0, 40)], moved)) == [LabelState.ORPHANED]
    assert states(query, ranked([("e", 50, 100)], moved)) == [None]
    assert states(query, ranked([("d", 0, 100)], {"d": TEXT})) == [LabelState.VALID]
    gone = asked(Passage(1, "chunk-7", quote="thirty days"))
    assert states(gone, Ranking(doc_ids=("chunk-8",), texts=(TEXT,))) == [LabelState.RE_ANCHORABLE]
    assert states(gone, Ranking(doc_ids=("chunk-7",), texts=(TEXT,))) == [LabelState.VALID]


def test_a_worse_retriever_does_not_make_judgements_invalid():
    """A passage that was not retrieved is not counted as lost: a regression does not excuse itself."""
    query = asked(Passage(1, "d", 0, 35, TEXT[:35]))
    measured = measured_with([query], [ranked([("e", 0, 30)], {"e": "Something else in this place."})])
    assert measured.labels == {}
    assert measured.label_validity == 1.0
    assert values(measured)["recall@10"] == [0.0]


# The same text, cut otherwise.


def cut(span: Span, points: Sequence[int], overlap: int) -> list[Span]:
    """A span cut at these points, each part reaching back over the one before."""
    start, end = span
    borders = sorted({start, end, *(point for point in points if start < point < end)})
    return [(max(start, low - overlap), high) for low, high in pairwise(borders)]


@st.composite
def chunkings(draw: st.DrawFn) -> tuple[list[Query], list[list[Ranking]]]:
    """Queries over passages, and their rankings from two indexes with different chunks."""
    borders = {
        doc_id: sorted({0, *draw(st.lists(st.integers(1, 300), min_size=1, max_size=6))}) for doc_id in ("a", "b", "c")
    }
    sections = [(doc_id, low, high) for doc_id, at in borders.items() for low, high in pairwise(at)]
    queries, brought = [], [[], []]
    for number in range(draw(st.integers(1, 3))):
        order = draw(st.permutations(sections))
        judged = draw(
            st.lists(
                st.tuples(st.integers(0, 3), st.sampled_from("abc"), st.integers(0, 290), st.integers(1, 60)),
                min_size=1,
                max_size=4,
            )
        )
        spans = {(doc_id, start, start + length): grade for grade, doc_id, start, length in judged}
        passages = tuple(Passage(grade, *span) for span, grade in spans.items())
        queries.append(replace(a_query(f"q{number}", {"always": 1}), passages=passages))
        for rankings in brought:
            points = draw(st.lists(st.integers(1, 299), max_size=12))
            overlap = draw(st.sampled_from((0, 5, 40)))
            chunks = [
                (doc_id, start, end)
                for doc_id, low, high in order
                for start, end in draw(st.permutations(cut((low, high), points, overlap)))
            ]
            rankings.append(ranked(chunks))
    return queries, brought


@pytest.mark.slow
@given(chunkings())
@examples(300)
def test_the_same_text_cut_otherwise_has_the_same_measures(example):
    """Wherever passages are cut, with or without overlap, and in whatever order their parts come."""
    queries, (one, other) = example
    assert values(measured_with(queries, one)) == values(measured_with(queries, other))


def by_length(size: int, overlap: int = 0) -> Callable[[str], Iterator[Span]]:
    """A chunker that cuts every so many characters and strips white space."""

    def cut_text(text: str) -> Iterator[Span]:
        for start in range(0, len(text), size):
            yield stripped(text, max(0, start - overlap), min(len(text), start + size))

    return cut_text


def by_sentence(text: str) -> Iterator[Span]:
    """A chunker that ends chunks with sentences."""
    start = 0
    for match in re.finditer(r"[.!?]\s+|\Z", text):
        if match.end() > start:
            yield stripped(text, start, match.end())
            start = match.end()


def stripped(text: str, start: int, end: int) -> Span:
    """The span without the white space around it."""
    part = text[start:end]
    return end - len(part.lstrip()), start + len(part.rstrip())


CHUNKERS = {
    "400 characters": by_length(400),
    "400 characters, 100 of them again": by_length(400, 100),
    "1,000 characters": by_length(1_000),
    "sentences": by_sentence,
}


def sections_of(text: str) -> list[Span]:
    """Paragraphs, several together until they are long enough."""
    borders = [0]
    for match in re.finditer(r"\n\s*\n|(?<=[.!?])\s+", text):
        if match.end() - borders[-1] > 1_500:
            borders.append(match.end())
    return [stripped(text, low, high) for low, high in zip(borders, [*borders[1:], len(text)], strict=True)]


@pytest.fixture(scope="module")
def chunking(public_data: Path) -> tuple[dict[str, str], list[Query]]:
    """A public data set: five long documents, and questions with the places and words of what answers them."""
    folder = public_data / "chunking-evaluation"
    texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted((folder / "corpora").glob("*.md"))}
    with (folder / "questions.csv").open(encoding="utf-8", newline="") as file:
        queries = [
            Query(
                query_id=f"q{number}",
                text=row["question"],
                stratum=row["corpus_id"],
                cluster=f"q{number}",
                passages=tuple(
                    Passage(1, row["corpus_id"], each["start_index"], each["end_index"], each["content"])
                    for each in json.loads(row["references"])
                ),
            )
            for number, row in enumerate(csv.DictReader(file))
        ]
    return texts, queries


def search(query: Query, sections: dict[str, list[Span]]) -> list[tuple[str, Span]]:
    """An oracle: fifteen sections in an order of the query's own, most of those that answer it among them."""
    rng = random.Random(query.query_id)  # noqa: S311 - the same order every time, not a secret
    every = [(doc_id, span) for doc_id, spans in sections.items() for span in spans]
    answering = [
        (doc_id, span)
        for doc_id, span in every
        if any(p.doc_id == doc_id and p.start < span[1] and p.end > span[0] for p in query.passages)
    ]
    found = list(dict.fromkeys([*rng.sample(every, 12), *(each for each in answering if rng.random() < 0.8)]))
    rng.shuffle(found)
    return found


def brought(queries: Sequence[Query], texts: dict[str, str], chunker: Callable, *, tells: str) -> list[Ranking]:
    """The ranking of the oracle from an index of one chunker."""
    sections = {doc_id: sections_of(text) for doc_id, text in texts.items()}
    rankings = []
    for query in queries:
        chunks = [
            (doc_id, low + start, low + end)
            for doc_id, (low, high) in search(query, sections)
            for start, end in chunker(texts[doc_id][low:high])
            if end > start
        ]
        rankings.append(ranked(chunks, texts if tells == "both" else None))
    return rankings


@pytest.mark.slow
def test_re_chunking_public_documents_leaves_every_measure_unchanged(chunking):
    """472 questions, four chunkers, one retriever: every value of every measure is exactly the same."""
    texts, queries = chunking
    assert len(queries) == 472
    found = {
        name: measured_with(queries, brought(queries, texts, chunker, tells="places"))
        for name, chunker in CHUNKERS.items()
    }
    first, *others = (values(each) for each in found.values())
    assert all(other == first for other in others)
    assert 0.1 < found["sentences"].measurements["ndcg@10"].mean < 0.9
    seen = {name: set(each.labels) for name, each in found.items()}
    assert LabelState.SPLIT in seen["400 characters"]
    assert LabelState.MERGED in seen["1,000 characters"]


@pytest.mark.slow
def test_quotes_survive_re_chunking_of_public_documents(chunking):
    """Judged by words alone, the measures are the same for all chunkers, and nearly those of judging by place."""
    texts, queries = chunking
    by_words = [replace(q, passages=tuple(Passage(p.grade, quote=p.quote) for p in q.passages)) for q in queries]
    first, *others = (
        values(measured_with(by_words, brought(queries, texts, chunker, tells="both"))) for chunker in CHUNKERS.values()
    )
    assert all(other == first for other in others)
    by_place = values(measured_with(queries, brought(queries, texts, by_length(400), tells="places")))
    same = [sum(map(float.__eq__, first[name], by_place[name])) / len(queries) for name in REPORTED]
    # The same words sometimes occur at a second place.
    assert min(same) > 0.99


def test_passages_are_read_with_their_defaults(tmp_path: Path):
    """A grade left out is 1, and a quote needs no document."""
    path = tmp_path / "passages.jsonl"
    path.write_text('{"query_id": "q1", "quote": "thirty days"}\n', encoding="utf-8")
    assert read_passages(path, {"q1"}, [("d", TEXT)]) == {"q1": [Passage(1, quote="thirty days")]}
