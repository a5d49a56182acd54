"""A suite is read whole or refused with one line that names file and line; its digest is the ruler's identity."""

import json
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.adapters.stores.postgres.rows import suite_from_rows, suite_to_rows
from monitor.errors import SuiteError
from monitor.model.suites import Axis, Pair, Query, Suite
from monitor.suites.lines import LONGEST_LINE
from monitor.suites.locating import built_in_probes
from monitor.suites.reading import digest_of, read_corpus, read_suite, suite_name
from tests.conftest import command
from tests.properties import examples

BAD = Path(__file__).parents[2] / "bad_suites"
CASES = sorted(path.name for path in BAD.iterdir())


@pytest.mark.parametrize("case", CASES)
def test_a_bad_suite_is_refused_with_exactly_this_message(case, monkeypatch):
    """Each folder has one mistake, and the message in it is what the user reads, word for word, on one line."""
    monkeypatch.chdir(BAD)
    with pytest.raises(SuiteError) as refused:
        read_suite(Path(case))
    assert f"{refused.value}\n" == Path(case, "error.txt").read_text(encoding="utf-8")
    assert len(str(refused.value).splitlines()) == 1


def test_there_are_bad_suites():
    """The folders are not looked for in the wrong place."""
    assert len(CASES) > 50


@pytest.mark.slow
def test_a_bad_suite_ends_the_command_with_one_line_and_leaves_nothing_behind(tmp_path):
    """The command line says which line is wrong, exits with 2 and writes nothing."""
    arguments = ("run", "--target", "http://127.0.0.1:9/search", "--suite", str(BAD / "negative_grade"))
    done = command(*arguments, cwd=tmp_path, check=2)
    (line,) = done.stderr.splitlines()
    assert "negative_grade/qrels/test.tsv:3: score '-1' must be a whole number" in line
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


HEAD = "name: parking\nversion: 1.10\naxis: compositional\ncontrols: [entity]\n"
CORPUS = (
    {"_id": "d1", "title": "Sundays", "text": "Parking is free."},
    {"_id": "d2", "title": "", "text": "Parking is never free."},
    {"_id": "d3", "title": "Trains", "text": ""},
)
QUERIES = (
    {"_id": "q1", "text": "When is parking free?", "metadata": {"stratum": "negation", "cluster": "parking"}},
    {"_id": "q2", "text": "Must I always pay?", "metadata": {"stratum": "negation", "answers": ["yes", "always"]}},
    {"_id": "q3", "text": "Zoë’s train, 列車?", "metadata": {"stratum": "entity", "cluster": 3}},
)
QRELS = (("q1", "d1", 2), ("q1", "d2", 0), ("q2", "d2", 1), ("q2", "d1", 1), ("q3", "d3", 1))
PAIRS = (
    {"query_id": "q1", "satisfying_id": "d1", "violating_id": "d2", "mirror": "q2"},
    {"query_id": "q2", "satisfying_id": "d2", "violating_id": "d1", "mirror": "q1"},
)


def folder_with(
    folder: Path,
    *,
    head: str | None = HEAD,
    corpus: Iterable[dict[str, object]] = CORPUS,
    queries: Iterable[dict[str, object]] = QUERIES,
    qrels: Iterable[tuple[str, str, int]] = QRELS,
    pairs: Iterable[dict[str, object]] | None = PAIRS,
) -> Path:
    """A folder in which a suite is written down."""
    (folder / "qrels").mkdir(parents=True)
    files = {"corpus.jsonl": corpus, "queries.jsonl": queries} | ({"pairs.jsonl": pairs} if pairs is not None else {})
    for name, rows in files.items():
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / name).write_text(lines, encoding="utf-8")
    judged = "".join(f"{query_id}\t{doc_id}\t{grade}\n" for query_id, doc_id, grade in qrels)
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged, encoding="utf-8")
    if head is not None:
        (folder / "suite.yaml").write_text(head, encoding="utf-8")
    return folder


def test_everything_that_is_written_is_read(tmp_path):
    """Name, version as written, axis, controls, strata, clusters, grades, answers and pairs arrive in the model."""
    suite = read_suite(folder_with(tmp_path / "any"))
    expected = Suite(
        name="parking",
        version="1.10",
        axis=Axis.COMPOSITIONAL,
        queries=(
            Query(
                query_id="q1",
                text="When is parking free?",
                stratum="negation",
                cluster="parking",
                grades={"d1": 2, "d2": 0},
            ),
            Query(
                query_id="q2",
                text="Must I always pay?",
                stratum="negation",
                cluster="d1",
                grades={"d2": 1, "d1": 1},
                answers=("yes", "always"),
            ),
            Query(query_id="q3", text="Zoë’s train, 列車?", stratum="entity", cluster="3", grades={"d3": 1}),
        ),
        pairs=(Pair("q1", "d1", "d2", "q2"), Pair("q2", "d2", "d1", "q1")),
        controls=frozenset({"entity"}),
    )
    assert suite == replace(expected, digest=suite.digest)
    assert suite.strata == ("negation", "entity")


def test_suite_yaml_and_pairs_may_be_missing(tmp_path):
    """The folder gives the name, the axis is broad, and queries without a stratum are of one that is called so."""
    queries = [{"_id": "q1", "text": "When is parking free?"}]
    folder = folder_with(tmp_path / "support", head=None, queries=queries, qrels=[("q1", "d1", 1)], pairs=None)
    suite = read_suite(folder)
    assert (suite.name, suite.version, suite.axis) == ("support", "0", Axis.BROAD)
    assert (suite.strata, suite.pairs, suite.controls) == (("support",), (), frozenset())
    assert suite_name(folder) == "support"


def test_a_relative_folder_has_a_name(tmp_path, monkeypatch):
    """A suite that is read from the folder one stands in is called as that folder."""
    monkeypatch.chdir(folder_with(tmp_path / "support", head="axis: compositional\n"))
    assert read_suite(Path()).name == suite_name(Path()) == "support"


def test_a_link_to_a_folder_gives_the_name(tmp_path):
    """Where `support` is a link to the release of the day, the suite is called support every day."""
    (tmp_path / "support").symlink_to(folder_with(tmp_path / "release-7", head="axis: compositional\n"))
    assert suite_name(tmp_path / "support") == "support"


def rewritten(folder: Path, change: Callable[[bytes], bytes]) -> Path:
    """The folder with every file changed in this way."""
    for path in (path for path in folder.rglob("*") if path.is_file()):
        path.write_bytes(change(path.read_bytes()))
    return folder


HARMLESS: dict[str, Callable[[bytes], bytes]] = {
    "byte order mark": lambda raw: b"\xef\xbb\xbf" + raw,
    "CRLF": lambda raw: raw.replace(b"\n", b"\r\n"),
    "byte order mark and CRLF": lambda raw: b"\xef\xbb\xbf" + raw.replace(b"\n", b"\r\n"),
    "no last line break": lambda raw: raw.rstrip(b"\n"),
    "blank lines": lambda raw: b"\n" + raw.replace(b"\n", b"\n \n\n"),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_how_an_editor_saves_a_file_does_not_matter(name, tmp_path):
    """Byte order marks, CRLF and blank lines are understood in every file and change nothing, the digest included."""
    changed = rewritten(folder_with(tmp_path / "changed"), HARMLESS[name])
    assert read_suite(changed) == read_suite(folder_with(tmp_path / "plain"))


def test_qrels_need_no_header(tmp_path):
    """A file of judgements that begins with the first judgement loses none."""
    folder = folder_with(tmp_path / "suite")
    path = folder / "qrels" / "test.tsv"
    path.write_text(path.read_text().partition("\n")[2])
    assert read_suite(folder) == read_suite(folder_with(tmp_path / "with-header"))


def test_a_query_may_be_without_a_judgement(tmp_path):
    """It is read, and known to be unjudged; only a stratum without any judgement is refused."""
    suite = read_suite(folder_with(tmp_path / "suite", qrels=[each for each in QRELS if each[0] != "q2"]))
    assert [query.query_id for query in suite.queries if not query.is_judged] == ["q2"]


def test_a_document_may_be_empty(tmp_path):
    """Public collections have documents with a title only; they are read as they are."""
    documents = {each.doc_id: each for each in read_corpus(folder_with(tmp_path / "suite"))}
    assert documents["d3"].full_text == "Trains"
    assert documents["d1"].full_text == "Sundays Parking is free."


def query(query_id: str, **changes: object) -> tuple[dict[str, object], ...]:
    """The queries with one of them changed."""
    return tuple({**row, **changes} if row["_id"] == query_id else row for row in QUERIES)


def metadata(query_id: str, **changes: object) -> tuple[dict[str, object], ...]:
    """The queries with the metadata of one of them changed."""
    (stated,) = (row["metadata"] for row in QUERIES if row["_id"] == query_id)
    return query(query_id, metadata={**stated, **changes})


RULER_MOVES = {
    "a query's text": {"queries": query("q1", text="When is parking free ?")},
    "a query's id": {"queries": query("q3", _id="q4"), "qrels": (*QRELS[:4], ("q4", "d3", 1))},
    "a stratum": {"queries": metadata("q2", stratum="exclusion")},
    "a cluster": {"queries": metadata("q1", cluster="cars")},
    "an answer": {"queries": metadata("q2", answers=["yes"])},
    "a query less": {"queries": (*QUERIES[:1], *QUERIES[2:]), "qrels": (*QRELS[:2], *QRELS[4:]), "pairs": ()},
    "the order of queries": {"queries": (QUERIES[1], QUERIES[0], QUERIES[2])},
    "a grade": {"qrels": (("q1", "d1", 1), *QRELS[1:])},
    "a judgement of zero less": {"qrels": (QRELS[0], *QRELS[2:])},
    "a judgement more": {"qrels": (*QRELS, ("q3", "d1", 1))},
    "a pair less": {"pairs": ({**PAIRS[0], "mirror": None},)},
    "pairs without mirrors": {"pairs": tuple({**pair, "mirror": None} for pair in PAIRS)},
    "another violating document": {"pairs": ({**PAIRS[0], "mirror": None, "violating_id": "d3"},)},
    "the axis": {"head": HEAD.replace("compositional", "broad")},
    "the controls": {"head": HEAD.replace("controls: [entity]", "")},
}
RULER_STAYS = {
    "title, owner, licence and description": {"head": HEAD + "title: Cars\nowner: ada\nlicence: CC0\ndescription: x\n"},
    "the version": {"head": HEAD.replace("1.10", "2")},
    "the name": {"head": HEAD.replace("parking", "cars")},
    "a document's text": {"corpus": ({**CORPUS[0], "text": "Parking costs nothing."}, *CORPUS[1:])},
    "a document more": {"corpus": (*CORPUS, {"_id": "d4", "title": "", "text": "Ferries."})},
    "the order of documents": {"corpus": CORPUS[::-1]},
    "the order of judgements": {"qrels": QRELS[::-1]},
    "the order of pairs": {"pairs": PAIRS[::-1]},
    "keys that mean nothing": {"queries": (*QUERIES[:2], {**QUERIES[2], "style": "short"})},
}


@pytest.mark.parametrize("change", RULER_MOVES)
def test_the_digest_changes_with_whatever_moves_the_ruler(change, tmp_path):
    """Queries, strata, clusters, grades, answers, pairs, axis and controls are the ruler's identity."""
    moved = read_suite(folder_with(tmp_path / "moved", **RULER_MOVES[change]))
    assert moved.digest != read_suite(folder_with(tmp_path / "suite")).digest


@pytest.mark.parametrize("change", RULER_STAYS)
def test_the_digest_does_not_change_with_anything_else(change, tmp_path):
    """What cannot change a measurement leaves every baseline valid, and every query and pair as it was."""
    same, suite = (
        read_suite(folder_with(tmp_path / "same", **RULER_STAYS[change])),
        read_suite(folder_with(tmp_path / "suite")),
    )
    assert same.digest == suite.digest
    assert (same.queries, same.pairs) == (suite.queries, suite.pairs)
    # The order of grades, too: sums over them must be equal to the last digit.
    assert [list(query.grades) for query in same.queries] == [list(query.grades) for query in suite.queries]


def test_the_digest_is_the_same_in_every_version(tmp_path):
    """A version of recallwatch that gave other digests would make every baseline invalid."""
    digest = "5996919781dec84f679e2368145aead236bf0c15a35a2f1743bcbed01f75019f"
    assert read_suite(folder_with(tmp_path / "suite")).digest == digest


@pytest.mark.parametrize(
    ("name", "axis", "n_queries", "n_strata", "n_pairs"),
    [
        ("broad", Axis.BROAD, 2_132, 12, 0),
        ("compositional", Axis.COMPOSITIONAL, 2_830, 13, 2_830),
    ],
)
def test_the_suites_that_come_along_are_read(name, axis, n_queries, n_strata, n_pairs):
    """Both built-in suites pass every check, all their queries are judged, and all their pairs are mirrored."""
    suite = read_suite(built_in_probes() / name)
    assert (suite.name, suite.axis) == (name, axis)
    assert (len(suite.queries), len(suite.strata), len(suite.pairs)) == (n_queries, n_strata, n_pairs)
    assert all(query.is_judged for query in suite.queries)
    assert all(pair.mirror_id for pair in suite.pairs)


def test_a_public_set_in_the_beir_layout_is_read_as_it_is(xquad):
    """xquad-en has no suite.yaml: 1,190 questions on 240 paragraphs, each paragraph a cluster, each with an answer."""
    suite = read_suite(xquad)
    assert (suite.name, suite.axis, suite.strata) == ("xquad-en", Axis.BROAD, ("xquad-en",))
    assert len(suite.queries) == 1_190
    assert len({query.cluster for query in suite.queries}) == 240
    assert sum(len(query.grades) for query in suite.queries) == 1_190
    assert all(query.answers and query.is_judged for query in suite.queries)
    assert sum(1 for _ in read_corpus(xquad)) == 240


@pytest.mark.parametrize("name", ["broad", "compositional"])
def test_what_is_read_survives_the_store(name):
    """A suite that was made into rows and back is the suite that was read, to the last pair."""
    suite = read_suite(built_in_probes() / name)
    assert suite_from_rows(*suite_to_rows(suite)) == suite


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(str.strip)
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8).filter(str.strip)


@st.composite
def suites(draw: st.DrawFn) -> Suite:
    """Any suite of a few queries, with ids and texts in any script."""
    doc_ids = draw(st.lists(NAMES, min_size=2, max_size=5, unique=True))
    query_ids = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    grades = st.dictionaries(st.sampled_from(doc_ids), st.integers(0, 4)).map(lambda some: {**some, doc_ids[0]: 1})
    strata = st.sampled_from(["a", "é b", "名"])
    queries = tuple(
        Query(
            query_id=each,
            text=draw(TEXTS),
            stratum=draw(strata),
            cluster=draw(NAMES),
            grades=draw(grades),
            answers=tuple(draw(st.lists(TEXTS, max_size=2))),
        )
        for each in query_ids
    )
    paired = draw(st.lists(st.sampled_from(query_ids), unique=True))
    pairs = tuple(Pair(each, doc_ids[0], doc_ids[1]) for each in query_ids if each in paired)
    suite = Suite(
        name="any",
        version="1",
        axis=draw(st.sampled_from(Axis)),
        queries=queries,
        pairs=pairs,
        controls=frozenset({queries[0].stratum}),
    )
    return replace(suite, digest=digest_of(suite))


def written(suite: Suite, folder: Path) -> Path:
    """The suite in the BEIR layout."""
    judged = {doc_id for query in suite.queries for doc_id in query.grades}
    paired = {doc_id for pair in suite.pairs for doc_id in (pair.satisfying_id, pair.violating_id)}
    stated = {"name": suite.name, "version": suite.version, "axis": suite.axis, "controls": sorted(suite.controls)}
    return folder_with(
        folder,
        head=json.dumps(stated),
        corpus=[{"_id": doc_id, "text": ""} for doc_id in sorted(judged | paired)],
        queries=[
            {
                "_id": each.query_id,
                "text": each.text,
                "metadata": {"stratum": each.stratum, "cluster": each.cluster, "answers": each.answers},
            }
            for each in suite.queries
        ],
        qrels=[qrel for query in suite.queries for qrel in query.qrels],
        pairs=[
            {"query_id": each.query_id, "satisfying_id": each.satisfying_id, "violating_id": each.violating_id}
            for each in suite.pairs
        ],
    )


@given(suites())
@examples(100)
def test_any_suite_that_is_written_down_is_read_back(suite):
    """Writing a suite in the BEIR layout and reading it gives the same suite, whatever script its ids are in."""
    with tempfile.TemporaryDirectory() as folder:
        assert read_suite(written(suite, Path(folder, "suite"))) == suite


def test_a_line_without_end_is_refused_by_its_number(tmp_path):
    """A file that lost its line breaks is refused before it is taken for one gigantic query."""
    folder = folder_with(tmp_path / "suite")
    with (folder / "queries.jsonl").open("ab") as file:
        file.write(b'{"_id": "q4", "text": "' + b"x" * LONGEST_LINE + b'"}\n')
    with pytest.raises(SuiteError, match=r"queries\.jsonl:4: the line is longer than 16 MiB$"):
        read_suite(folder)


def test_a_long_line_is_no_mistake(tmp_path):
    """A whole book as one document is read."""
    folder = folder_with(tmp_path / "suite", corpus=(*CORPUS, {"_id": "d4", "title": "", "text": "x" * 10_000_000}))
    assert len(read_suite(folder).queries) == 3


@pytest.mark.parametrize("name", ["suite.yaml", "corpus.jsonl", "queries.jsonl", "qrels/test.tsv", "pairs.jsonl"])
@pytest.mark.parametrize(
    ("target", "problem"), [("itself", "Too many levels of symbolic links"), ("nowhere", "No such file or directory")]
)
def test_a_link_that_leads_nowhere_is_refused(name, target, problem, tmp_path):
    """A link in a circle or to nothing is told, also where the file itself could have been left out."""
    path = folder_with(tmp_path / "suite") / name
    path.unlink()
    path.symlink_to(path if target == "itself" else tmp_path / "nowhere")
    with pytest.raises(SuiteError) as refused:
        read_suite(tmp_path / "suite")
    assert str(refused.value) == f"{path}: {problem}"


def test_a_production_corpus_may_stay_where_it_is(tmp_path):
    """Without a corpus.jsonl the same queries and judgements are read, and the ruler is the same."""
    whole = folder_with(tmp_path / "suite")
    digest = read_suite(whole).digest
    (whole / "corpus.jsonl").unlink()
    assert read_suite(whole).digest == digest


def test_a_folder_in_place_of_a_file_is_refused(tmp_path):
    """What cannot be read as a file is told by its name."""
    folder = folder_with(tmp_path / "suite", pairs=None)
    (folder / "pairs.jsonl").mkdir()
    with pytest.raises(SuiteError, match=r"pairs\.jsonl: Is a directory$"):
        read_suite(folder)


@pytest.mark.parametrize("name", ["nowhere", "x" * 300, "a\0b"])
def test_a_folder_that_is_not_there_says_what_a_suite_is(name, tmp_path):
    """A wrong path is told with what was expected there, however odd the path."""
    with pytest.raises(SuiteError, match="no such folder; a suite is a folder with"):
        read_suite(tmp_path / name)
