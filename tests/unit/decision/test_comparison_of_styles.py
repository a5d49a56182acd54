"""Query styles in the evidence: reported, tested among themselves, and without influence on anything that decides."""

from dataclasses import replace

import numpy as np

from monitor.decision.comparison import compare, pair_all
from monitor.model.policies import Policy
from monitor.model.suites import Suite, is_style
from tests.builders import a_measured, a_query, a_suite

N_QUERIES = 60
PLAIN = a_suite(*(a_query(f"q{number}", stratum="law" if number % 2 else "art") for number in range(N_QUERIES)))
STYLED = replace(
    PLAIN,
    queries=tuple(
        replace(query, style="keyword" if number % 3 else "title") for number, query in enumerate(PLAIN.queries)
    ),
)


def evidence_of(suite: Suite) -> dict[tuple[str, str], object]:
    """The evidence on a swap that loses every fifth document."""
    before = a_measured(suite, {query.query_id: ["d1"] for query in suite.queries})
    after = a_measured(
        suite, {query.query_id: ["d2"] if number % 5 == 0 else ["d1"] for number, query in enumerate(suite.queries)}
    )
    policy = Policy(resamples=999)
    everything = compare(pair_all([(before, after)], policy), policy, rng=np.random.default_rng(1))
    return {(each.stratum, each.measure): each for each in everything}


def test_styles_leave_the_evidence_of_strata_as_it_was():
    """With styles there is more evidence; that of the suite and its strata is the same to the last bit."""
    plain, styled = evidence_of(PLAIN), evidence_of(STYLED)
    assert {key for key in styled if is_style(key[0])} == styled.keys() - plain.keys() != set()
    assert {key: repr(each) for key, each in styled.items() if key in plain} == {
        key: repr(each) for key, each in plain.items()
    }
