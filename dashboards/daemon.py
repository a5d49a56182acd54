"""How recallwatch itself is."""

from __future__ import annotations

from dashboards.panels import PROMETHEUS, Json, lines, mapping, page, query, stat
from dashboards.series import ALARM, BAD, GOOD, SCRAPED, WATCH

NOW = [
    stat(
        "Scraped",
        "Whether Prometheus reaches the daemon.",
        query("min(up{SELF})"),
        mappings=[mapping(no=(0, BAD), yes=(1, GOOD))],
    ),
    stat(
        "Version",
        "What runs.",
        query("recallwatch_build_info{SELF}", "{{version}}"),
        unit="string",
        options={"textMode": "name"},
    ),
    stat(
        "Up for",
        "Time since the daemon started.",
        query("time() - max(recallwatch_start_timestamp_seconds{SELF})"),
        unit="s",
    ),
    stat(
        "Configuration",
        "Whether the configuration in force is the last that was read. After a bad reload the old one stays.",
        query("min(recallwatch_config_last_reload_successful{SELF})"),
        mappings=[mapping(refused=(0, BAD), in_force=(1, GOOD))],
    ),
    stat(
        "Alerts that wait",
        "In the outbox, for a notifier that has not accepted them.",
        query('sum(recallwatch_outbox_deliveries{SELF, state="pending"})'),
        steps=((None, GOOD), (1, WATCH), (50, BAD)),
    ),
    stat(
        "Dead letters",
        "Alerts that were given up, ever.",
        query('sum(recallwatch_outbox_deliveries{SELF, state="dead"})'),
        steps=ALARM,
    ),
]
CYCLES = [
    lines(
        "Cycle lag",
        "How late the next cycle of each schedule is. It grows when a cycle does not end.",
        query("clamp_min(time() - recallwatch_cycle_due_timestamp_seconds{SELF}, 0)", "{{target}} {{schedule}}"),
        unit="s",
        min=0,
        steps=((None, "transparent"), (900, BAD)),
    ),
    lines(
        "Cycle duration",
        "How long the last cycle of each schedule took.",
        query("recallwatch_cycle_duration_seconds{SELF}", "{{target}} {{schedule}}"),
        unit="s",
        min=0,
    ),
    lines(
        "Cycles that ended in an error",
        "In each second, by target. The log says why (cycle_failed).",
        query("sum by (target) (rate(recallwatch_cycle_failures_total{SELF}[$__rate_interval]))", "{{target}}"),
        unit="ops",
        min=0,
    ),
    lines(
        "Probes answered",
        "In each second, by target.",
        query("sum by (target) (rate(recallwatch_probe_duration_seconds_count{SELF}[$__rate_interval]))", "{{target}}"),
        unit="reqps",
        min=0,
    ),
]
DELIVERY = [
    lines(
        "Outbox",
        "Alerts that wait and alerts that were given up.",
        query("sum by (state) (recallwatch_outbox_deliveries{SELF})", "{{state}}"),
        unit="short",
        min=0,
    ),
    lines(
        "The alert that waits longest",
        "Its age; zero while none waits.",
        query(
            "(time() - recallwatch_outbox_oldest_timestamp_seconds{SELF})"
            ' or on (job, instance) recallwatch_outbox_deliveries{SELF, state="pending"} * 0',
            "age",
        ),
        unit="s",
        min=0,
        steps=((None, "transparent"), (600, BAD)),
    ),
    lines(
        "Alerts delivered",
        "In each second, by notifier and state.",
        query(
            "sum by (notifier, state) (rate(recallwatch_alerts_total{SELF}[$__rate_interval]))",
            "{{notifier}} {{state}}",
        ),
        unit="ops",
        min=0,
    ),
    lines(
        "Noise ledger",
        "Regressions that fired in each second, and those that were confirmed or dismissed as false alarms, by policy.",
        query(
            "sum by (policy, outcome) (rate(recallwatch_incidents_total{SELF}[$__rate_interval]))",
            "{{policy}} {{outcome}}",
        ),
        unit="ops",
        min=0,
    ),
    lines(
        "Schedules without data",
        "1 while a schedule has brought no data for longer than it may; the daemon pages about it itself.",
        query("recallwatch_no_data{SELF}", "{{target}} {{schedule}}"),
        steps=ALARM,
        min=0,
        max=1,
    ),
    lines(
        "Deliveries refused",
        "In each second, by notifier and reason. What is worth it is tried again.",
        query(
            "sum by (notifier, reason) (rate(recallwatch_notifications_failed_total{SELF}[$__rate_interval]))",
            "{{notifier}} {{reason}}",
        ),
        unit="ops",
        min=0,
    ),
]
HEALTH = [
    lines(
        "Database errors",
        "Transactions in each second that the database did not take.",
        query("sum(rate(recallwatch_database_errors_total{SELF}[$__rate_interval]))", "errors"),
        unit="ops",
        min=0,
        width=8,
    ),
    lines(
        "Scrape duration",
        "How long Prometheus waits for the metrics. The objective is half a second.",
        query("scrape_duration_seconds{SELF}", "{{instance}}"),
        unit="s",
        min=0,
        width=8,
        steps=((None, "transparent"), (0.5, BAD)),
    ),
    lines(
        "Series",
        "Samples in a scrape: targets × strata × measures, and a few more.",
        query("scrape_samples_scraped{SELF}", "{{instance}}"),
        unit="short",
        min=0,
        width=8,
    ),
]


def dashboard() -> Json:
    """How recallwatch itself is."""
    return page(
        "recallwatch-daemon",
        "recallwatch / recallwatch itself",
        "The watcher watched: cycles, outbox, database, configuration, scrapes.",
        PROMETHEUS,
        SCRAPED,
        [("Now", NOW), ("Cycles", CYCLES), ("Delivery", DELIVERY), ("Database and scrapes", HEALTH)],
    )
