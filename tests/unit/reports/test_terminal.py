"""Tables of a run for a terminal."""

from dataclasses import replace
from io import StringIO

from rich.console import Console

from monitor.evaluation.scoring import measure
from monitor.model.suites import Axis, Pair
from monitor.model.verdicts import Evidence
from monitor.reports.terminal import evidence_table, run_tables, run_to_dict
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


def text(*tables: object) -> str:
    """Tables as a wide terminal shows them."""
    file = StringIO()
    Console(width=200, file=file).print(*tables)
    return file.getvalue()


def test_pairs_have_a_table_of_their_own_by_phenomenon():
    """A run with pairs shows reach, structure and violating documents for each phenomenon, and marks the controls."""
    ranks, pairs = (text(each) for each in run_tables(a_measured(SUITE, {"q1": "xy", "q2": "xy"})))
    assert "structure" not in ranks
    rows = {line.split("│")[1].strip(): line for line in pairs.splitlines() if line.startswith("│")}
    assert set(rows) == {"overall", "negation", "paraphrase (control)"}
    columns = [each.strip() for each in next(line for line in pairs.splitlines() if "reach" in line).split("┃")[1:-1]]
    values = dict(zip(columns, (each.strip() for each in rows["negation"].split("│")[1:-1]), strict=True))
    assert (values["reach"], values["structure"], values["violating@1"]) == ("1.0000", "1.0000", "0.0000")


def test_a_run_without_pairs_has_no_table_of_pairs():
    """A broad suite shows its rank measures alone."""
    assert len(run_tables(a_measured(a_suite(a_query("q1", {"a": 1})), {"q1": "ab"}))) == 1


def test_means_that_are_only_shown_are_in_the_json_of_a_run():
    """`--json` has the rate of violating documents beside the other measures."""
    measured = measure(a_run(SUITE, {"q1": "xy", "q2": "xy"}), SUITE)
    assert run_to_dict(measured)["measures"]["violating@1"] == 0.5
    assert run_to_dict(measured)["strata"]["paraphrase"]["violating@1"] == 1.0


def test_a_difference_of_separation_is_not_in_points():
    """Ratios are in points, separation in standard deviations."""
    row = Evidence(
        suite="pairs", axis=Axis.COMPOSITIONAL, stratum="overall", measure="separation", gating=True, n_queries=200,
        n_clusters=100, baseline_mean=0.2, candidate_mean=0.35, difference=0.15, lower=0.1, upper=0.2, p_worse=1.0,
        p_worse_adjusted=1.0, p_better=0.001, p_better_adjusted=0.001, p_not_safe=0.01, mde=0.04,
    )  # fmt: skip
    output = text(evidence_table([row, replace(row, measure="structure")]))
    assert "+0.150 sd" in output
    assert "+15.0" in output
