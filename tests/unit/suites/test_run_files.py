"""Run files of other tools, measured with a suite and without a database."""

import asyncio
import csv
import json
from pathlib import Path

import pytest

from monitor.cli.runs_import import import_run_file
from monitor.errors import SuiteError
from monitor.suites.formats.trec_run import write_run
from monitor.suites.reading import read_suite
from monitor.suites.run_files import measure_run_file

QRELS = "query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td2\t1\nq2\td3\t1\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A suite of two judged queries and one without a judgement."""
    folder = tmp_path / "parking"
    (folder / "qrels").mkdir(parents=True)
    rows = [{"_id": f"q{number}", "text": f"question {number}"} for number in (1, 2, 3)]
    (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "qrels" / "test.tsv").write_text(QRELS)
    return folder


def write_file(tmp_path: Path, *lines: str) -> Path:
    """A run file of these lines."""
    path = tmp_path / "bm25.run"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_a_run_file_is_measured_with_per_query_values(folder: Path, tmp_path: Path):
    """Every query of the suite has a row: measured, failed or skipped."""
    path = write_file(tmp_path, "q1 Q0 x 1 9 bm25", "q1 Q0 d2 2 8 bm25")
    data = asyncio.run(import_run_file(path, str(folder))).data
    rows = {row["query_id"]: row for row in data["queries"]}
    assert data["counts"] == {"attempted": 3, "scored": 1, "failed": 1, "skipped": 1, "reasons": {"malformed": 1}}
    assert (rows["q1"]["measures"]["recall@10"], rows["q1"]["measures"]["mrr@10"]) == (0.5, 0.5)
    assert (rows["q1"]["failure"], rows["q2"]["measures"], rows["q3"]["measures"]) == (None, {}, {})
    assert rows["q2"]["failure"] == "the run file has no line for this query"


def test_missing_queries_can_count_as_empty_rankings(folder: Path, tmp_path: Path):
    """As in ``trec_eval -c``: a judged query without a line has the value 0, and no probe failed."""
    path = write_file(tmp_path, "q1 Q0 d1 1 9 bm25", "q1 Q0 d2 2 8 bm25")
    measured = measure_run_file(path, read_suite(folder), missing_as_empty=True)
    assert measured.measurements["recall@10"].values.tolist() == [1.0, 0.0]
    assert measured.counts.failed == 0


def test_an_exported_run_has_the_same_measurements_again(folder: Path, tmp_path: Path):
    """Export and import of a run lose no ranking."""
    suite = read_suite(folder)
    first = measure_run_file(write_file(tmp_path, "q1 Q0 x 1 9 t", "q1 Q0 d1 2 8 t", "q2 Q0 d3 1 7 t"), suite)
    write_run(first.run.outcomes, tmp_path / "again.run", "tag")
    second = measure_run_file(tmp_path / "again.run", suite)
    assert second.run.fingerprint == first.run.fingerprint
    assert {name: each.mean for name, each in second.measurements.items()} == {
        name: each.mean for name, each in first.measurements.items()
    }


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (("q9 Q0 d1 1 9 t",), "bm25.run: unknown query q9: not in suite parking"),
        (("q9 Q0 d1 1 9 t", "q8 Q0 d1 1 9 t"), "bm25.run: unknown query q8 and 1 more: not in suite parking"),
        (("q1 Q0 d1 1 9",), "bm25.run:1: must have 6 columns"),
        ((), "bm25.run: the run file has no ranking"),
    ],
)
def test_a_run_file_that_does_not_fit_the_suite_is_refused(folder, tmp_path, lines, problem):
    """Unknown queries, malformed lines and empty files are one-line errors."""
    with pytest.raises(SuiteError) as refused:
        measure_run_file(write_file(tmp_path, *lines), read_suite(folder))
    assert str(refused.value).startswith(f"{tmp_path}/{problem}")


def test_repeated_ranks_are_ordered_by_score(folder: Path, tmp_path: Path):
    """Published runs often have one rank for all documents; ties keep the order of the file."""
    path = write_file(tmp_path, "q1 Q0 d1 0 1.5 t", "q1 Q0 x 0 2.5e0 t", "q1 Q0 y 0 1.5 t")
    (outcome, *_) = measure_run_file(path, read_suite(folder)).run.outcomes
    assert outcome.ranking is not None
    assert outcome.ranking.doc_ids == ("x", "d1", "y")


def test_queries_of_another_suite_can_be_left_out(folder: Path, tmp_path: Path):
    """A run over more topics than the suite is measured on the queries of the suite."""
    path = write_file(tmp_path, "q1 Q0 d1 1 9 t", "q9 Q0 d1 1 9 t")
    assert measure_run_file(path, read_suite(folder), ignore_unknown=True).counts.scored == 1


def test_a_run_file_is_judged_against_another(tmp_path: Path):
    """Two files give a verdict with its exit code; the deeper file is cut to the depth of the other."""
    folder = tmp_path / "many"
    (folder / "qrels").mkdir(parents=True)
    numbers = range(60)
    (folder / "queries.jsonl").write_text(
        "".join(json.dumps({"_id": f"q{n}", "text": f"{n}?"}) + "\n" for n in numbers)
    )
    (folder / "qrels" / "test.tsv").write_text("".join(f"q{n}\td{n}\t1\n" for n in numbers))
    good, bad = tmp_path / "good.run", tmp_path / "bad.run"
    good.write_text("".join(f"q{n} Q0 d{n} 1 9 t\nq{n} Q0 x 2 8 t\nq{n} Q0 y 3 7 t\n" for n in numbers))
    bad.write_text("".join(f"q{n} Q0 {f'd{n}' if n % 2 else 'z'} 1 9 t\nq{n} Q0 x 2 8 t\n" for n in numbers))
    result = asyncio.run(import_run_file(bad, str(folder), good, csv_path=tmp_path / "values.csv"))
    assert result.data["verdict"]["verdict"] == "regressed"
    assert result.exit_code == 1
    rows = list(csv.DictReader((tmp_path / "values.csv").read_text().splitlines()))
    assert [row["recall@10"] for row in rows[:2]] == ["0.0", "1.0"]
    assert asyncio.run(import_run_file(good, str(folder), good)).data["verdict"]["verdict"] == "passed"
