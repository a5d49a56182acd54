"""When the ruler moved, the verdict is invalid and not regressed."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from monitor.decision.judgement import Judgement
from monitor.decision.verdict import Weighed, weigh
from monitor.evaluation.passages.quotes import look_for_quotes
from monitor.evaluation.scoring import fingerprint, measure
from monitor.model.measurements import Measured
from monitor.model.passages import Passage, Sources
from monitor.model.policies import Policy
from monitor.model.results import SuiteResult
from monitor.model.runs import Outcome, Ranking
from monitor.model.suites import Query, Suite
from monitor.model.verdicts import VerdictName
from monitor.reports.terminal import run_to_dict
from tests.builders import a_query, a_run, a_suite

N = 60
QUOTE = "rule number {} of the house is kept by everybody"


def a_judged_suite() -> Suite:
    """Queries that are each answered by the first words of a document of their own."""
    return a_suite(*(replace(a_query(f"q{i}", {}), passages=(_passage(i),)) for i in range(N)))


def _passage(i: int) -> Passage:
    quote = QUOTE.format(i)
    return Passage(1, f"d{i}", 0, len(quote), quote)


Hit = tuple[str, int, str]
"""Source document, start and text."""


def a_measured_run(brings: Callable[[int], list[Hit]], *, corpus: str = "") -> Measured:
    """A run in which each query brought these hits."""
    suite = a_judged_suite()
    outcomes = tuple(_outcome(query, brings(i)) for i, query in enumerate(suite.queries))
    run = replace(a_run(suite, {}), outcomes=outcomes, fingerprint=fingerprint(outcomes), corpus=corpus)
    return measure(run, suite)


def _outcome(query: Query, hits: list[Hit]) -> Outcome:
    documents, starts, texts = zip(*hits, strict=True)
    ends = tuple(start + len(text) for start, text in zip(starts, texts, strict=True))
    ids = tuple(f"{document}#{start}" for document, start in zip(documents, starts, strict=True))
    ranking = Ranking(doc_ids=ids, sources=Sources(documents, starts, ends), texts=texts)
    return Outcome(query_id=query.query_id, ranking=look_for_quotes(ranking, query.passages))


def decision(before: Measured, after: Measured, policy: Policy) -> Weighed:
    """Judgement and evidence about a candidate."""
    return weigh([SuiteResult(measured=after, baseline=before)], policy, 1, may_page=True, causes={})


def weighed(before: Measured, after: Measured) -> Judgement:
    """The judgement of a candidate."""
    return decision(before, after, Policy()).judgement


def good(i: int) -> list[Hit]:
    """The right document first."""
    return [(f"d{i}", 0, QUOTE.format(i)), ("x", 0, "something else entirely")]


def bad(i: int) -> list[Hit]:
    """Never the right document."""
    return [("x", 0, "something else entirely"), ("y", 0, "and this is no better")]


def rewritten(i: int) -> list[Hit]:
    """The relevant documents, of which every tenth has a new text."""
    return [(f"d{i}", 0, "the house has got new rules and they are not kept"), *good(i)[1:]] if i % 10 == 0 else good(i)


def moved(i: int) -> list[Hit]:
    """The right words, every tenth time in another document than they were."""
    return [(f"new-{i}", 500, QUOTE.format(i))] if i % 10 == 0 else good(i)


def test_a_worse_retriever_has_regressed():
    """Judgements whose passages are merely not brought any more are as valid as before."""
    assert weighed(a_measured_run(good), a_measured_run(bad)).name is VerdictName.REGRESSED


@pytest.mark.parametrize("brings", [rewritten, moved])
def test_lost_labels_are_invalid(brings):
    """Changed documents make the verdict invalid, with the remedy, and do not page for quality."""
    judgement = weighed(a_measured_run(good), a_measured_run(brings))
    assert judgement.name is VerdictName.INVALID
    assert "90.0% of the judgements of suite broad" in judgement.summary
    assert "recallwatch suite lint" in judgement.summary
    assert "recallwatch baseline promote" in judgement.summary


def test_labels_that_the_baseline_had_lost_already_are_no_news():
    """The label validity of the baseline and of the candidate are compared."""
    assert weighed(a_measured_run(rewritten), a_measured_run(rewritten)).name is VerdictName.PASSED


def test_the_floor_is_the_policys():
    """A policy may tolerate more lost labels."""
    lenient = replace(Policy(), label_floor=0.5)
    before, after = a_measured_run(good), a_measured_run(moved)
    assert decision(before, after, lenient).judgement.name is VerdictName.PASSED


def test_another_corpus_is_compared_and_its_lost_documents_are_named():
    """Half of the documents gone is a regression, not silence: the change names the two corpora and what is lost."""
    before, after = a_measured_run(good, corpus="2026-03"), a_measured_run(bad, corpus="2026-04")
    result = decision(before, after, Policy())
    assert result.judgement.name is VerdictName.REGRESSED
    (change,) = result.corpus_changes
    assert (change.before, change.after) == ("2026-03", "2026-04")


@pytest.mark.parametrize(("then", "now"), [("", "2026-04"), ("2026-03", ""), ("2026-03", "2026-03")])
def test_a_corpus_that_is_not_known_has_not_changed(then, now):
    """Only two names that differ are a change."""
    before, after = a_measured_run(good, corpus=then), a_measured_run(good, corpus=now)
    assert weighed(before, after).name is VerdictName.PASSED


def test_the_states_of_the_labels_are_told():
    """The JSON of a run counts them."""
    told = run_to_dict(a_measured_run(rewritten))
    assert told["labels"] == {"valid": 54, "orphaned": 6}
    assert told["label_validity"] == 0.9
