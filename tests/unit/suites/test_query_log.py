"""Sampling a log of queries: what personal data is taken out, and which queries are drawn."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.cli.suite_sample_log import sample_log
from monitor.errors import SuiteError
from monitor.suites.generation.log_sampling import Sketch
from monitor.suites.generation.personal_data import KINDS, scrubbed
from monitor.suites.generation.query_log import Columns

PLANTED = {
    "email": ["ada.lane@example.com", "Ada+tag@mail.example.co.uk", "a_b@münchen.example"],
    "phone": ["+49 30 1234567", "(555) 123-4567", "555-123-4567", "020 7946 0958", "0171/1234567", "+1.415.555.2671"],
    "iban": ["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "fr1420041010050500013m02606"],
    "card": [
        "4111 1111 1111 1111",
        "378282246310005",
        "5555-5555-5555-4444",
        "2223 0031 2200 3222",
        "6011111111111117",
        "30569309025904",
        "3530111333300000",
        "6200000000000005",
    ],
    "ip_address": ["192.168.13.37", "2001:db8::8a2e:370:7334", "fe80::1"],
    "url": [
        "https://ada:pw@example.com/",
        "https://example.com/reset?token=abc",
        "www.example.com/login?u=ada",
        "https://example.com/s/9f8a7b6c5d4e3f2a1b0c9d8e",
    ],
    "national_id": [
        "123-45-6789",
        "AB 12 34 56 C",
        "12345678Z",
        "X1234567L",
        "86095742719",
        "44051401359",
        "1 84 12 76 451 089 46",
        "RSSMRA85T10A562S",
        "811218-9876",
        "811278-9873",
    ],
}
VALUES = [(kind, value) for kind, values in PLANTED.items() for value in values]
HARMLESS = [
    "iphone 15 pro 256 gb",
    "flights 2026-03-14 to 21.03.2026",
    "error 0x80070057 in version 10.0.19045",
    "std::vector vs std::array",
    "opening hours 9:30 to 17:45",
    "price 1,299.99 with 20 % off",
    "https://example.com/help/returns",
    "section 4.2.1 of iso 27001",
    "12345678A",
    "a @ b",
]


@pytest.mark.parametrize(("kind", "value"), VALUES)
def test_each_kind_of_personal_data_is_found(kind: str, value: str):
    """A value among words is taken out, and counted as what it is."""
    found: Counter[str] = Counter()
    assert scrubbed(f"where is the order of {value} please", found) == f"where is the order of <{kind}> please"
    assert found == {kind: 1}


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_like_it_stays(text: str):
    """Versions, dates, prices, plain addresses and numbers with a wrong checksum are left alone."""
    found: Counter[str] = Counter()
    assert scrubbed(text, found) == text
    assert not found


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("ZZ8212345678901234567890", id="IBAN with an invented country code"),
        pytest.param("XX57WEST12345698765432", id="IBAN with another invented country code"),
        pytest.param("DE543704004405320130001", id="German IBAN with one character too many"),
        pytest.param("DE5137040044053201300", id="German IBAN with one character too few"),
        pytest.param("GB25123412345698765432", id="British IBAN with digits for its bank"),
        pytest.param("1234567812345670", id="card number of no issuer"),
        pytest.param("0000000000000000", id="card number of zeros"),
        pytest.param("7777 7777 7777 7771", id="prefix that no issuer uses"),
        pytest.param("37828224631000518", id="American Express number of 17 digits"),
        pytest.param("5454545454545454543", id="Mastercard number of 19 digits"),
        pytest.param("811318-9875", id="Swedish number of the 13th month"),
    ],
)
def test_a_number_with_matching_check_digits_but_an_impossible_form_stays(text: str):
    """Check digits alone do not make an identifier: country, issuer, length and date must exist, too."""
    counts: Counter[str] = Counter()
    scrubbed(text, counts)
    assert not counts.keys() & {"iban", "card", "national_id"}


@pytest.mark.parametrize("text", ["ge\u212a9 1234 12345678\u212a", "\u017fe12 3456 7890 1234 567", "12345678\u017f"])
def test_letters_that_only_fold_to_ascii_break_no_check(text: str):
    """The Kelvin sign and the long s match ASCII letters without case; no checksum fails on them."""
    assert isinstance(scrubbed(text, Counter()), str)


@given(
    st.lists(
        st.sampled_from([value for _, value in VALUES])
        | st.sampled_from(["order", "no", "12", "of", "7", "a", "?", "5b"])
    )
)
def test_no_planted_value_survives_beside_others(parts: list[str]):
    """Whatever stands beside a value, even digits and other values, it is taken out."""
    left = scrubbed(" ".join(parts), Counter())
    assert not [value for value in parts if value in dict(map(reversed, VALUES)) and value in left]


def test_names_are_taken_out_where_a_column_has_them():
    """Both parts, in any order and case; a word that only contains the name stays."""
    found: Counter[str] = Counter()
    told = scrubbed("is LANE, Ada still in lanesville, asks ada lane", found, ["Ada Lane"])
    assert told == "is <name>, <name> still in lanesville, asks <name>"
    assert found == {"name": 3}


def sampled(
    log: Path, out: str = "queries.jsonl", columns: Columns | None = None, **more: Any
) -> tuple[Any, list[Any]]:
    """What the command told, and the rows that it wrote."""
    stated = {"count": 10, "seed": 1, **more}
    path = log.parent / out
    result = asyncio.run(sample_log(log, path, columns or Columns(), **stated))
    return result, [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_log(path: Path, queries: list[str]) -> Path:
    """A log in JSON Lines."""
    path.write_text("".join(json.dumps({"query": each}) + "\n" for each in queries), encoding="utf-8")
    return path


def a_query(number: int) -> str:
    """A query that is like no other."""
    return " ".join(f"{word}{number}" for word in ("alpha", "beta", "gamma", "delta")[: 1 + number % 4])


def test_head_torso_and_tail_are_all_drawn_from(tmp_path: Path):
    """One query that is asked all the time does not push the rare ones out."""
    queries = (
        ["weather today"] * 300
        + [a_query(n) for n in range(20) for _ in range(15)]
        + list(map(a_query, range(20, 320)))
    )
    result, rows = sampled(write_log(tmp_path / "log.jsonl", queries), count=30)
    drawn = Counter(stratum.split("-")[0] for stratum in (row["metadata"]["stratum"] for row in rows))
    assert set(drawn) == {"head", "torso", "tail"}
    times = {row["text"]: row["metadata"]["provenance"]["times"] for row in rows}
    assert times["weather today"] == 300
    assert (result.data["lines"], len(rows)) == (len(queries), 30)


def test_the_same_seed_draws_the_same(tmp_path: Path):
    """Also when the log is in another order; another seed draws others."""
    queries = [a_query(n) for n in range(200)]
    _, first = sampled(write_log(tmp_path / "a.jsonl", queries), "1.jsonl")
    _, second = sampled(write_log(tmp_path / "b.jsonl", queries[::-1]), "2.jsonl")
    _, third = sampled(tmp_path / "a.jsonl", "3.jsonl", seed=2)
    assert first == second
    assert first != third


def test_near_duplicates_are_drawn_once(tmp_path: Path):
    """Case and punctuation make no other query, and one word of seven makes a near-duplicate; both are told."""
    queries = ["How do I return a parcel today", "how do i return a parcel TODAY?", "how do I return my parcel today"]
    result, rows = sampled(write_log(tmp_path / "log.jsonl", queries))
    assert len(rows) == 1
    assert result.data["dropped"] == {"near-duplicates among the sampled queries": 1}


def test_values_are_counted_and_never_shown(tmp_path: Path):
    """Neither the file nor what is shown has any of them; what has too little left is dropped and counted."""
    queries = [f"{a_query(4 * n + 3)} {value}" for n, (_, value) in enumerate(VALUES)]
    log = write_log(tmp_path / "log.jsonl", [*queries, "ada@example.com", "call 555-123-4567", "???", ""])
    result, rows = sampled(log, count=100)
    told = json.dumps([rows, result.data, list(map(str, result.output))], ensure_ascii=False)
    assert not [value for _, value in VALUES if value in told]
    assert set(result.data["scrubbed"]) == set(KINDS) - {"name"}
    assert result.data["dropped"] == {"too few words beside personal data": 2, "no word": 1, "empty": 1}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "log.jsonl",
            '{"q": "red shoes", "who": "Ada Lane", "shop": "uk"}\n{"q": "boots ada", "who": "Ada", "shop": "uk"}\n',
        ),
        ("log.csv", "\ufeffq,who,shop\r\nred shoes,Ada Lane,uk\r\n\"boots ada\",Ada,uk\r\n"),
        ("log.tsv", "q\twho\tshop\nred shoes\tAda Lane\tuk\nboots ada\tAda Lane\tuk\n"),
    ],
)  # fmt: skip
def test_logs_with_columns_are_read_alike(tmp_path: Path, name: str, text: str):
    """JSON Lines, CSV and TSV give the same queries; a column makes strata, another has names."""
    (tmp_path / name).write_bytes(text.encode())
    result, rows = sampled(tmp_path / name, columns=Columns("q", "shop", ("who",)))
    assert [row["text"] for row in rows] == ["red shoes"]
    assert rows[0]["metadata"]["stratum"] == "uk-tail-short"
    assert result.data["dropped"] == {"too few words beside personal data": 1}


def test_a_plain_log_has_one_query_a_line(tmp_path: Path):
    """Any other ending is read so."""
    (tmp_path / "queries.txt").write_text("red shoes\n\nblue boots\n")
    _, rows = sampled(tmp_path / "queries.txt")
    assert {row["text"] for row in rows} == {"red shoes", "blue boots"}


@pytest.mark.parametrize(
    ("name", "text", "columns", "problem"),
    [
        ("log.jsonl", '{"query": "a"}\n{"q": 1}\n', Columns(), r"jsonl:2: unknown column query; known columns: q"),
        ("log.jsonl", '{"query": ["a"]}\n', Columns(), r"log\.jsonl:1: query must be a string"),
        ("log.csv", "query,x\na\n", Columns(), r"log\.csv:2: has 1 columns, and the header 2"),
        ("log.csv", 'query\n"a\n', Columns(), r"log\.csv:2: not a table row"),
        ("log.txt", "a\n", Columns(stratum="x"), r"log\.txt: a plain log has no columns"),
        ("log.txt", "?\n", Columns(), r"log\.txt: no query is left: 1 no word"),
        ("log.txt", "", Columns(), r"log\.txt: no query is left: it has no line"),
    ],
)  # fmt: skip
def test_a_broken_log_is_one_line_and_nothing_is_written(
    tmp_path: Path, name: str, text: str, columns: Columns, problem: str
):
    """File and line are named."""
    (tmp_path / name).write_text(text)
    with pytest.raises(SuiteError, match=problem):
        sampled(tmp_path / name, columns=columns)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_sketch_counts_what_it_saw():
    """Few texts among many cells do not meet: counts are exact, and the borders part the traffic in thirds."""
    sketch = Sketch()
    for text, count in (("a", 6), ("b", 3), ("c", 2), ("d", 1), ("e", 1), ("f", 1)):
        for _ in range(count):
            sketch.add(text)
    assert [sketch.count(text) for text in "abcdefg"] == [6, 3, 2, 1, 1, 1, 0]
    assert sketch.thirds() == (2, 6)
