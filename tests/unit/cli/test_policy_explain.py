"""`policy explain` states the rules of the procedure with the numbers of the policy."""

from dataclasses import replace

import pytest

from monitor.model.policies import Policy, Tolerance
from monitor.service.policy_sentences import sentences_of


def text_of(policy: Policy) -> str:
    """All sentences of a policy."""
    return " ".join(sentences_of(policy))


@pytest.mark.parametrize(
    "rule",
    [
        "On the broad axis ",
        "On the compositional axis ",
        "the mean over several phenomena does not page",
        "adjusted p at most 0.01 over all of those together) and at least 1 point and 2% of the baseline",
        "a declared swap, a silent swap, a drift below the baseline that the e-detector detects, or new scores of a",
        "Churn is learned from 12 pairs of cycles, at least 4 of them with a changed ranking",
        "exceeds the usual share by more than the larger of 5 points and 6 standard deviations",
        "compared with the run before it and with the baseline, each at half the level",
        "below the baseline by more than the margin of 5%",
        "A declared swap is judged at the full page level of 0.01 and spends nothing.",
        "a yearly error budget of 0.05: the first 10 looks of a year have the level 0.0025 each",
        "share the other half of the budget (0.01 at the 11th, 0.00015 at the 20th and 3.8e-05 at the 30th)",
        "A change in too few clusters to reach its level spends nothing",
        "rise of separation (or of forced choice, where there are no scores)",
        "keep 95% of its baseline, at an error of 0.05. No stratum is likely to have lost 10%",
        "at most 5% in view of all strata, and of at most 25% from the stratum alone",
        "inconclusive with the advice watch; it never pages",
        "judged documents that are gone count as lost and are named",
        "Strata with fewer than 12 independent clusters are reported and not tested.",
    ],
)
def test_each_rule_of_the_procedure_is_stated(rule: str):
    """The default policy is explained with its own numbers."""
    assert rule in text_of(Policy())


def test_the_numbers_are_those_of_the_policy():
    """Another policy gives other numbers, and its exceptions are listed."""
    policy = replace(
        Policy(),
        alpha_page=0.002,
        alpha_year=0.1,
        margin=0.08,
        stratum_margin=0.2,
        tolerances=(Tolerance(stratum="legal", margin=0.15),),
    )
    text = text_of(policy)
    assert "full page level of 0.002 and" in text
    assert "yearly error budget of 0.1: the first 10 looks of a year have the level 0.002 each" in text
    assert "keep 92% of its baseline" in text
    assert "likely to have lost 20%" in text
    assert "Exception for legal: a margin of 15.0%." in text
