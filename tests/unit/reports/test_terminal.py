"""Tables of a run for a terminal."""

from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from monitor.evaluation.scoring import measure
from monitor.model.policies import Policy
from monitor.model.suites import Axis, Pair
from monitor.model.verdicts import Evidence, Verdict, VerdictName
from monitor.reports.comparison import MOST_LOSSES, losses_table, verdict_text
from monitor.reports.terminal import run_tables, run_to_dict
from tests.builders import a_measured, a_query, a_run, a_suite

SUITE = replace(
    a_suite(
        a_query("q1", {"x": 1}, stratum="negation"),
        a_query("q2", {"y": 1}, stratum="paraphrase"),
        pairs=[Pair("q1", "x", "y"), Pair("q2", "y", "x")],
        axis=Axis.COMPOSITIONAL,
        name="pairs",
    ),
    controls=frozenset({"paraphrase"}),
)
BROAD = a_suite(a_query("q1", {"a": 1}))


def text(*parts: object, width: int = 200) -> str:
    """Tables and sentences as a terminal of this width shows them."""
    file = StringIO()
    Console(width=width, file=file).print(*parts)
    return file.getvalue()


def row_of(output: str, stratum: str) -> list[str]:
    """The cells of the row of a stratum."""
    return next(line for line in output.splitlines() if line.strip().startswith(stratum)).split()


def an_evidence(
    measure: str = "ndcg@10", stratum: str = "overall", difference: float = -0.1, **fields: object
) -> Evidence:
    """Evidence of a difference."""
    numbers: Any = {"p_worse_adjusted": 1e-4, "p_better_adjusted": 1.0, **fields}
    return Evidence(
        suite="broad", axis=Axis.BROAD, stratum=stratum, measure=measure, gating=True, n_queries=200, n_clusters=100,
        baseline_mean=0.6, candidate_mean=0.6 + difference, difference=difference, lower=difference - 0.05,
        upper=difference + 0.05, p_worse=1.0, p_better=0.5, p_not_safe=0.01, mde=0.04, **numbers,
    )  # fmt: skip


def a_verdict(*evidence: Evidence, name: VerdictName = VerdictName.REGRESSED) -> Verdict:
    """A verdict with this evidence."""
    lost = {"query_id": "q1", "query": "Where is the meter?", "stratum": "legal", "expected": ["d7"], "rank_before": 1,
            "rank_now": None, "retrieved_before": ["d7"], "retrieved_now": ["d9"], "suite": "broad"}  # fmt: skip
    return Verdict(
        verdict_id="v", cycle_id="c", target="t", name=name, summary="Broad nDCG@10 fell.", advice="roll back",
        evidence=evidence, run_ids=("r",), baseline_run_ids=("b",), policy=Policy(), policy_digest="", seed=1,
        method="m", decided_at=datetime(2026, 1, 1, tzinfo=UTC), lost_queries=(lost,),
    )  # fmt: skip


def test_pairs_have_a_table_of_their_own_by_phenomenon():
    """A run with pairs shows reach, structure and violating documents for each phenomenon, and marks the controls."""
    ranks, pairs = text(*run_tables(a_measured(SUITE, {"q1": "xy", "q2": "xy"}))).split("Pairs of")
    assert "structure" not in ranks
    assert "paraphrase (control)" in pairs
    columns = next(line for line in pairs.splitlines() if "reach" in line).split()
    values = dict(zip(columns, row_of(pairs, "negation"), strict=True))
    assert (values["reach"], values["structure"], values["violating@1"]) == ("1.0000", "1.0000", "0.0000")


def test_a_run_without_pairs_has_no_table_of_pairs():
    """A broad suite shows its rank measures alone."""
    assert "Pairs" not in text(*run_tables(a_measured(BROAD, {"q1": "ab"})))


@pytest.mark.parametrize("with_bounds", [False, True])
def test_no_row_of_a_table_is_broken_at_80_columns(with_bounds: bool):
    """Measures that do not fit into 80 columns continue in a further table."""
    long = a_suite(*(a_query(f"q{number}", {"a": 1}, stratum=f"stratum number {number}") for number in range(2)))
    lines = text(*run_tables(a_measured(long, {"q0": "ab", "q1": "b"}), with_bounds=with_bounds), width=80).splitlines()
    heads = [line for line in lines if line.startswith("stratum ") and "number" not in line]
    assert "…" not in "".join(heads)
    rows = [line.split()[:3] for line in lines if line.startswith("stratum number")]
    assert rows == [["stratum", "number", "0"], ["stratum", "number", "1"]] * len(heads)


def test_bounds_are_printed_on_request():
    """The upper bound for unjudged documents stands in the table with `--bounds` alone."""
    measured = a_measured(BROAD, {"q1": "xa"})
    assert "upper bound" not in text(*run_tables(measured))
    assert "upper bound" in text(*run_tables(measured, with_bounds=True))


def test_means_that_are_only_shown_are_in_the_json_of_a_run():
    """`--json` has the rate of violating documents beside the other measures."""
    measured = measure(a_run(SUITE, {"q1": "xy", "q2": "xy"}), SUITE)
    assert run_to_dict(measured)["measures"]["violating@1"] == 0.5
    assert run_to_dict(measured)["strata"]["paraphrase"]["violating@1"] == 1.0


def test_a_difference_of_separation_is_not_in_points():
    """Ratios are in points, separation in standard deviations."""
    output = text(
        verdict_text(a_verdict(an_evidence("separation", difference=0.15), an_evidence("structure", difference=0.15)))
    )
    assert "+0.15 sd" in output
    assert "+15.0" in output


def test_a_verdict_shows_its_sentence_and_the_largest_losses_first():
    """The sentence comes first, then ten losses grouped by stratum, the number of the others, and the lost queries."""
    evidence = [an_evidence(stratum=f"s{number:02}", difference=-0.01 * number) for number in range(1, 15)]
    output = text(verdict_text(a_verdict(an_evidence("mrr@10", "s14", -0.12), *evidence)), width=80)
    lines = output.splitlines()
    assert lines[0].startswith("REGRESSED  Broad nDCG@10 fell.")
    shown = [line for line in lines if "@10 " in line and "0.600" in line]
    assert len(shown) == MOST_LOSSES
    assert shown[0].startswith("broad · s14")
    assert shown[1].startswith(" ")  # the second measure of the same stratum
    assert "… 5 more changed measures (0 of all 15 rose); --all shows them" in output
    assert "“Where is the meter?” (legal)" in output
    assert "wanted d7: rank 1 → not found; now first: d9" in output


def test_a_whole_verdict_shows_every_changed_measure():
    """`--all` prints each difference with its sizes and what could have been detected."""
    evidence = [an_evidence(stratum=f"s{number:02}", difference=0.01 * number) for number in range(1, 15)]
    output = text(verdict_text(a_verdict(*evidence), is_whole=True))
    assert "more changed" not in output
    assert all(f"s{number:02}" in output for number in range(1, 15))
    assert "detectable" in output


def test_losses_have_the_colour_of_their_harm():
    """What pages is red, what is worth watching is yellow, and a significant gain is green."""
    evidence = (
        an_evidence("ndcg@10", fallen=True), an_evidence("mrr@10", watched=True, difference=-0.05),
        an_evidence("recall@10", difference=0.2, p_better_adjusted=0.01),
    )  # fmt: skip
    styles = [row.style for row in losses_table(evidence).rows]
    assert styles == ["red", "yellow"]
    assert [row.style for row in losses_table(evidence[2:]).rows] == ["green"]
