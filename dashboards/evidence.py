"""The evidence of a verdict, and a comparison of two runs query by query, from PostgreSQL."""

from __future__ import annotations

from dashboards.panels import POSTGRES, Json, page, sql, table, variable

VERDICT = [
    table(
        "Verdicts",
        "Verdicts about the target in the selected time range.",
        sql(
            """SELECT decided_at AS time, verdict, summary, advice, verdict_id FROM dashboard.verdict
            WHERE target = ${target:sqlstring} AND $__timeFilter(decided_at) ORDER BY decided_at DESC LIMIT 100"""
        ),
    ),
    table(
        "Evidence of the selected verdict",
        "Every measure of every stratum, worst first: means, difference, 95 % interval, p-value after correction, "
        "queries, clusters, and the smallest drop that is detected with 80 % power.",
        sql(
            """SELECT suite, axis, stratum, measure, gating, baseline_mean, candidate_mean, difference, lower,
            upper, p_worse_adjusted, n_queries, n_clusters, mde FROM dashboard.evidence
            WHERE verdict_id = ${verdict:sqlstring} ORDER BY difference, suite, stratum, measure"""
        ),
        height=12,
        decimals=4,
    ),
    table(
        "Lost queries of the selected verdict",
        "The most affected queries, with expected and retrieved documents, before and now.",
        sql(
            """SELECT suite, stratum, query_id, query, measure, difference, expected, retrieved_before,
            retrieved_now FROM dashboard.lost_query WHERE verdict_id = ${verdict:sqlstring} ORDER BY difference"""
        ),
    ),
]
RUNS = [
    table(
        "The two runs",
        "The runs that are compared below. Runs of different suite versions have no queries in common.",
        sql(
            """SELECT run_id, target, suite, axis, deployment, status, started_at, finished_at, attempted, failed
            FROM dashboard.run WHERE run_id IN (${baseline:sqlstring}, ${candidate:sqlstring})
            ORDER BY started_at"""
        ),
        height=5,
    ),
    table(
        "Mean of each stratum",
        "For the selected measure, over the queries that both runs scored.",
        sql(
            """SELECT stratum, count(*) AS queries, avg(value_before) AS before, avg(value_now) AS now,
            avg(value_now - value_before) AS difference,
            count(*) FILTER (WHERE value_now < value_before) AS lost,
            count(*) FILTER (WHERE value_now > value_before) AS won
            FROM dashboard.compare(${baseline:sqlstring}, ${candidate:sqlstring}, ${measure:sqlstring})
            GROUP BY stratum ORDER BY difference"""
        ),
        decimals=4,
    ),
    table(
        "Queries, worst first",
        "The difference of each query between the two runs: its rank before and now, and the relevant documents "
        "that are no longer retrieved.",
        sql(
            """SELECT stratum, query_id, query, value_before, value_now, value_now - value_before AS difference,
            rank_before, rank_now, missing_now, retrieved_now
            FROM dashboard.compare(${baseline:sqlstring}, ${candidate:sqlstring}, ${measure:sqlstring})
            ORDER BY difference, query_id LIMIT 200"""
        ),
        height=14,
    ),
]
HISTORY = [
    table(
        "Swaps",
        "Changes of the target's deployment, whether they were declared, and the share of queries with other hits.",
        sql(
            """SELECT detected_at AS time, suite, declared, share_changed, previous_run_id, run_id
            FROM dashboard.swap WHERE target = ${target:sqlstring} AND $__timeFilter(detected_at)
            ORDER BY detected_at DESC"""
        ),
        width=12,
    ),
    table(
        "Baselines",
        "Trusted runs, with date, author and reason. A baseline changes only when a run is promoted.",
        sql(
            """SELECT promoted_at AS time, suite, run_id, promoted_by, reason, retired_at FROM dashboard.baseline
            WHERE target = ${target:sqlstring} ORDER BY promoted_at DESC"""
        ),
        width=12,
    ),
]
RUN_NAMES = """SELECT started_at || ' ' || suite || ' ' || left(deployment, 12) AS __text, run_id AS __value
    FROM dashboard.run WHERE target = ${target:sqlstring} AND status = 'finished' AND """
TRUSTED = "run_id IN (SELECT run_id FROM dashboard.baseline) ORDER BY started_at DESC LIMIT 200"
SAME_SUITE = """suite = (SELECT suite FROM dashboard.run WHERE run_id = ${baseline:sqlstring})
    ORDER BY started_at DESC LIMIT 200"""
CHOICES = (
    ("target", "Target", "SELECT DISTINCT target FROM dashboard.run ORDER BY target"),
    (
        "verdict",
        "Verdict",
        """SELECT decided_at || ' ' || verdict AS __text, verdict_id AS __value FROM dashboard.verdict
        WHERE target = ${target:sqlstring}
        ORDER BY verdict IN ('regressed', 'trade_off') DESC, decided_at DESC LIMIT 200""",
    ),
    ("baseline", "Run before", RUN_NAMES + TRUSTED),
    ("candidate", "Run now", RUN_NAMES + SAME_SUITE),
    (
        "measure",
        "Measure",
        """SELECT DISTINCT measure FROM dashboard.measurement WHERE run_id = ${baseline:sqlstring}
        ORDER BY measure""",
    ),
)


def dashboard() -> Json:
    """The dashboard of evidence and runs."""
    return page(
        "recallwatch-evidence",
        "recallwatch / Run and evidence",
        "The evidence of a verdict, and two runs query by query. Needs PostgreSQL and dashboards/read-only.sql.",
        POSTGRES,
        [variable(name, label, " ".join(text.split()), POSTGRES) for name, label, text in CHOICES],
        [("Verdict", VERDICT), ("Two runs, query by query", RUNS), ("History", HISTORY)],
    )
