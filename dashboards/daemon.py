"""Health of recallwatch itself."""

from __future__ import annotations

from dashboards.panels import PROMETHEUS, Json, lines, mapping, page, query, stat
from dashboards.series import ALARM, BAD, GOOD, SCRAPED, WATCH

NOW = [
    stat(
        "Scraped",
        "Whether Prometheus can scrape the daemon.",
        query("min(up{SELF})"),
        mappings=[mapping(no=(0, BAD), yes=(1, GOOD))],
    ),
    stat(
        "Version",
        "The running version.",
        query("recallwatch_build_info{SELF}", "{{version}}"),
        unit="string",
        options={"textMode": "name"},
    ),
    stat(
        "Uptime",
        "Time since the daemon started.",
        query("time() - max(recallwatch_start_timestamp_seconds{SELF})"),
        unit="s",
    ),
    stat(
        "Configuration",
        "Whether the latest configuration is active. After a rejected reload the previous one stays active.",
        query("min(recallwatch_config_last_reload_successful{SELF})"),
        mappings=[mapping(rejected=(0, BAD), active=(1, GOOD))],
    ),
    stat(
        "Pending alerts",
        "Alerts in the outbox that no notifier has accepted yet.",
        query('sum(recallwatch_outbox_deliveries{SELF, state="pending"})'),
        steps=((None, GOOD), (1, WATCH), (50, BAD)),
    ),
    stat(
        "Dead letters",
        "Undeliverable alerts since the database was created.",
        query('sum(recallwatch_outbox_deliveries{SELF, state="dead"})'),
        steps=ALARM,
    ),
]
CYCLES = [
    lines(
        "Cycle lag",
        "Delay of the next cycle of each schedule. It grows while a cycle does not finish.",
        query("clamp_min(time() - recallwatch_cycle_due_timestamp_seconds{SELF}, 0)", "{{target}} {{schedule}}"),
        unit="s",
        min=0,
        steps=((None, "transparent"), (900, BAD)),
    ),
    lines(
        "Cycle duration",
        "Duration of the latest cycle of each schedule.",
        query("recallwatch_cycle_duration_seconds{SELF}", "{{target}} {{schedule}}"),
        unit="s",
        min=0,
    ),
    lines(
        "Failed cycles",
        "Failures per second, by target. The log has the reason (cycle_failed).",
        query("sum by (target) (rate(recallwatch_cycle_failures_total{SELF}[$__rate_interval]))", "{{target}}"),
        unit="ops",
        min=0,
    ),
    lines(
        "Probes answered",
        "Answered probes per second, by target.",
        query("sum by (target) (rate(recallwatch_probe_duration_seconds_count{SELF}[$__rate_interval]))", "{{target}}"),
        unit="reqps",
        min=0,
    ),
]
DELIVERY = [
    lines(
        "Outbox",
        "Pending and undeliverable alerts.",
        query("sum by (state) (recallwatch_outbox_deliveries{SELF})", "{{state}}"),
        unit="short",
        min=0,
    ),
    lines(
        "Oldest pending alert",
        "Its age; zero without pending alerts.",
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
        "Delivered alerts",
        "Alerts per second, by notifier and state.",
        query(
            "sum by (notifier, state) (rate(recallwatch_alerts_total{SELF}[$__rate_interval]))",
            "{{notifier}} {{state}}",
        ),
        unit="ops",
        min=0,
    ),
    lines(
        "False-alarm ledger",
        "Regressions per second that fired, were confirmed, or were dismissed as false alarms, by policy.",
        query(
            "sum by (policy, outcome) (rate(recallwatch_incidents_total{SELF}[$__rate_interval]))",
            "{{policy}} {{outcome}}",
        ),
        unit="ops",
        min=0,
    ),
    lines(
        "Schedules without data",
        "1 while a schedule has produced no data for too long; the daemon pages about it.",
        query("recallwatch_no_data{SELF}", "{{target}} {{schedule}}"),
        steps=ALARM,
        min=0,
        max=1,
    ),
    lines(
        "Failed deliveries",
        "Failed attempts per second, by notifier and reason. Temporary failures are retried.",
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
        "Failed transactions per second.",
        query("sum(rate(recallwatch_database_errors_total{SELF}[$__rate_interval]))", "errors"),
        unit="ops",
        min=0,
        width=8,
    ),
    lines(
        "Scrape duration",
        "Duration of a scrape. The objective is half a second.",
        query("scrape_duration_seconds{SELF}", "{{instance}}"),
        unit="s",
        min=0,
        width=8,
        steps=((None, "transparent"), (0.5, BAD)),
    ),
    lines(
        "Series",
        "Samples per scrape: targets × strata × measures, plus a few more.",
        query("scrape_samples_scraped{SELF}", "{{instance}}"),
        unit="short",
        min=0,
        width=8,
    ),
]


def dashboard() -> Json:
    """The dashboard of the daemon."""
    return page(
        "recallwatch-daemon",
        "recallwatch / recallwatch itself",
        "Health of the daemon: cycles, outbox, database, configuration, scrapes.",
        PROMETHEUS,
        SCRAPED,
        [("Now", NOW), ("Cycles", CYCLES), ("Delivery", DELIVERY), ("Database and scrapes", HEALTH)],
    )
