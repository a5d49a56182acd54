"""The public Python API: names, any kind of retriever, notebooks, and the pytest fixture."""

import asyncio
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import monitor
from monitor import Policy, Suite, compare, measure, per_query, read_suite
from monitor.errors import ComparisonError, Reason
from monitor.model.suites import Axis
from monitor.model.verdicts import VerdictName
from tests.unit.gate.swaps import a_suite, finds

N = 300
SUITE = a_suite(N)
POLICY = Policy(resamples=999)


def searching(found: np.ndarray):
    """A function of a query and k that finds the relevant documents of some queries."""
    return lambda query, k: [f"d{query}" if found[int(query)] else "other", "x"][:k]


GOOD = finds(N, 0.8)
BAD = GOOD & finds(N, 0.6, seed=2)


def test_the_public_names_are_imported_on_first_use():
    """`import monitor` loads none of the heavy parts; each documented name can be imported."""
    program = "import sys, monitor; print([m for m in sys.modules if m.startswith(('monitor.', 'numpy', 'scipy'))])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert all(getattr(monitor, name) for name in monitor.__all__)
    with pytest.raises(AttributeError, match="no attribute 'measures'"):
        _ = monitor.measures


def test_a_function_is_measured_and_compared():
    """The same function passes, a worse one regresses, and the numbers are those of the functions."""
    before, same, worse = (measure(searching(each), SUITE, policy=POLICY) for each in (GOOD, GOOD, BAD))
    assert before.measurements["recall@10"].mean == pytest.approx(GOOD.mean())
    assert compare(before, same, policy=POLICY).name is VerdictName.PASSED
    assert compare(before, worse, policy=POLICY).name is VerdictName.REGRESSED


def test_both_axes_together_show_a_trade_off_or_a_drop():
    """Several suites give one verdict; suites that differ are refused."""
    other = a_suite(N, name="second")
    before = [measure(searching(GOOD), suite, policy=POLICY) for suite in (SUITE, other)]
    after = [measure(searching(each), suite, policy=POLICY) for each, suite in ((BAD, SUITE), (GOOD, other))]
    verdict = compare(before, after, policy=POLICY)
    assert {row.suite for row in verdict.fallen} == {"broad"}
    with pytest.raises(ComparisonError, match="the baseline has suites"):
        compare(before, after[:1], policy=POLICY)


def test_a_retriever_of_langchain_goes_in_as_it_is():
    """An object with `invoke` that returns documents with ids needs no adapter."""

    class Document:
        def __init__(self, name: str) -> None:
            self.id, self.page_content = name, ""
            self.metadata: dict[str, str] = {}

    class LangChainRetriever:
        async def ainvoke(self, query: str, **_: object):
            return [Document(f"d{query}")]

        def invoke(self, query: str, **_: object):
            return [Document(f"d{query}")]

    LangChainRetriever.__module__ = "langchain_core.retrievers"
    assert measure(LangChainRetriever(), SUITE).measurements["recall@10"].mean == 1.0


def test_a_function_that_fails_is_a_failure_not_a_zero():
    """Its queries are counted with the reason and left out of every mean."""

    def search(query: str, k: int):
        if query == "7":
            raise ValueError
        return [f"d{query}"][:k]

    measured = measure(search, SUITE)
    assert measured.counts.reasons == {Reason.BROKEN: 1}
    assert measured.measurements["recall@10"].mean == 1.0


def test_it_works_in_a_notebook():
    """Inside a running event loop, as notebooks have one, measuring works as well."""

    async def cell():
        return measure(searching(GOOD), SUITE)

    assert asyncio.run(cell()).counts.scored == N


def test_rows_make_a_data_frame():
    """Each scored query is one row with its measures."""
    rows = per_query(measure(searching(GOOD), SUITE))
    assert len(rows) == N
    assert {"query_id", "stratum", "cluster", "recall@10"} <= rows[0].keys()
    assert np.mean([row["recall@10"] for row in rows]) == pytest.approx(GOOD.mean())


def test_suites_come_from_folders_and_built_in():
    """`read_suite` reads a built-in suite by its name."""
    suite = read_suite("builtin:compositional")
    assert isinstance(suite, Suite)
    assert suite.axis is Axis.COMPOSITIONAL


TESTS_OF_A_USER = """
from tests.unit.library.test_library import BAD, GOOD, POLICY, SUITE, searching

def test_same(recallwatch_gate):
    verdict = recallwatch_gate(baseline=searching(GOOD), candidate=searching(GOOD), suites=[SUITE], policy=POLICY)
    assert verdict.name == "passed"

def test_worse(recallwatch_gate):
    recallwatch_gate(baseline=searching(GOOD), candidate=searching(BAD), suites=[SUITE], policy=POLICY)

def test_tolerated(recallwatch_gate):
    recallwatch_gate(
        baseline=searching(GOOD), candidate=searching(BAD), suites=[SUITE], policy=POLICY, fail_on=["invalid"]
    )
"""


def test_the_fixture_fails_a_test_on_a_regression(tmp_path: Path):
    """In a project of a user the same retriever passes, a worse one fails with the sentence of the verdict."""
    (tmp_path / "test_model.py").write_text(TESTS_OF_A_USER)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "monitor.library.pytest_plugin", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[3]), "PATH": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed, 2 passed" in done.stdout, done.stdout + done.stderr
    assert "recallwatch: regressed:" in done.stdout
