"""The readable message of an alert."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from monitor.adapters.notifiers.message import clip, fit, one_line, plain_text, render
from monitor.testing.alerts import AT, FIRING, RESOLVED, a_fall, a_large_alert, a_lost_query, an_alert


def lines(title: str, **data: object) -> tuple[str, ...]:
    """The lines of one part of a message."""
    return next((part.lines for part in render(an_alert(**data)).parts if part.title == title), ())


def test_a_title_says_state_target_and_verdict():
    """The title alone names the state, the target and the verdict."""
    assert render(FIRING).title == "[FIRING] production: trade off"


@pytest.mark.parametrize(
    ("data", "title"),
    [
        ({"verdict": "", "kind": "no_data"}, "[FIRING] production: no data"),
        ({"verdict": "", "kind": "dead_letter"}, "[FIRING] production: dead letter"),
        ({"verdict": "regressed", "reopened": 1}, "[FIRING AGAIN] production: regressed"),
        ({"verdict": None, "kind": None}, "[FIRING] production: alert"),
    ],
)
def test_a_title_shows_the_kind_of_other_incidents(data, title):
    """The title shows the kind of an incident without a verdict, and that an incident was reopened."""
    assert render(an_alert(**data)).title == title


def test_a_test_alert_starts_with_test():
    """A test alert cannot be mistaken for a page."""
    assert render(an_alert(test=True)).title.startswith("TEST ")


def test_a_drop_is_shown_with_its_statistics():
    """A drop names its place, means, difference, interval, p-value, sample size and smallest detectable drop."""
    fall = a_fall(lower=-0.22, upper=-0.16, stratum="billing")
    assert lines("Drops", fallen=[fall]) == (
        "broad billing recall@10: 0.759 → 0.569, -19.0 points, 95 % interval -22.0 … -16.0, adjusted p = 0.0001, "
        "826 queries, 186 clusters, a page detects drops from 3.4 points",
    )


def test_a_gain_is_shown_with_the_p_value_of_a_gain():
    """A gain is not shown with the p-value of a drop."""
    (line,) = lines("Gains", risen=[a_fall("mrr@10", 0.2)])
    assert "+20.0 points" in line
    assert "adjusted p = 0.002" in line


def test_the_worst_come_first_and_the_rest_is_counted():
    """The message lists the five largest drops and the number of the others."""
    drops = lines("Drops", fallen=[a_fall(f"m{n}", -n / 100) for n in range(1, 9)])
    assert [line.split()[1] for line in drops[:5]] == ["m8:", "m7:", "m6:", "m5:", "m4:"]
    assert drops[5:] == ("… and 3 more",)


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), "many"])
def test_a_number_that_does_not_exist_is_left_out(value):
    """A missing or infinite number is not shown as nan, inf or None."""
    (line,) = lines("Drops", fallen=[a_fall(mde=value, lower=value)])
    assert "detectable" not in line
    assert "interval" not in line
    assert not {"nan", "inf", "None", "many"} & set(line.replace(",", " ").split())


def test_a_lost_query_shows_expected_and_retrieved_documents():
    """A lost query shows its text, its stratum, and the documents before and now."""
    assert lines("Most affected queries", lost_queries=[a_lost_query()]) == (
        "“which invoices are overdue?” (billing): expected d1; before d1, d2; now d8, d9",
    )


def test_a_query_with_a_withheld_text_is_shown_by_its_id():
    """A policy that withholds texts still lets on-call identify the query."""
    assert lines("Most affected queries", lost_queries=[a_lost_query(None)])[0].startswith("q17 (billing): expected d1")


def test_a_long_query_leaves_room_for_its_documents():
    """A long query text does not displace the retrieved documents."""
    (line,) = lines("Most affected queries", lost_queries=[a_lost_query("why " * 1_000)])
    assert line.endswith("expected d1; before d1, d2; now d8, d9")


def test_a_resolved_message_shows_the_duration():
    """A resolved message shows the time of the resolution and the duration of the incident."""
    facts = render(RESOLVED).facts
    assert facts["Resolved"] == "2026-01-01 05:09 UTC"
    assert facts["Duration"] == "2 h 5 min"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "less than a minute"), (60, "1 min"), (3_600, "1 h"), (90_061, "1 d 1 h 1 min"), (None, None), ("x", None)],
)
def test_durations_are_shown_in_days_hours_and_minutes(seconds, text):
    """Units that are zero are left out."""
    assert render(an_alert(duration_s=seconds)).facts.get("Duration") == text


@pytest.mark.parametrize(
    ("declared", "text"), [(True, "v2, declared"), (False, "v2, detected from rankings"), (None, "v2")]
)
def test_a_deployment_shows_how_it_was_detected(declared, text):
    """The message shows whether the target declared the deployment or the rankings revealed it."""
    assert render(an_alert(deployment={"candidate": "v2", "declared": declared})).facts["Current deployment"] == text
    dated = {"candidate": "v2", "declared": declared, "since": AT.isoformat()}
    assert render(an_alert(deployment=dated)).facts["Current deployment"] == f"{text}, since 2026-01-01 03:04 UTC"


def test_there_are_never_more_than_ten_facts():
    """Slack shows at most ten fields."""
    assert len(render(an_alert("resolved", acknowledged_by="ada")).facts) == 10


def test_absent_keys_are_left_out():
    """A minimal payload gives a message without empty lines or placeholders."""
    data = {"state": "firing", "target": "production", "summary": "It fell."}
    message = render(replace(FIRING, payload={"data": data}))
    assert plain_text(message) == "It fell.\n\nTarget: production\nType: alert"
    assert message.opened_at == AT
    assert message.ended_at is None


def test_an_empty_payload_still_gives_a_message():
    """An alert with an empty payload can still be rendered."""
    assert render(replace(FIRING, payload={})).title == "[FIRING] : alert"


@pytest.mark.parametrize(("state", "is_closed"), [("firing", False), ("acknowledged", False), ("resolved", True),
                                                ("reopened", False), ("dismissed", True)])  # fmt: skip
def test_only_resolved_and_dismissed_close_an_incident(state, is_closed):
    """Only the states resolved and dismissed need no further action."""
    message = render(an_alert(state))
    assert message.is_closed is is_closed
    assert (message.ended_at is not None) is is_closed


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "ftp://x/", "https://x/ y", "https://x/>|", "https://x/\n", "https://ü/", 7, None]
)
def test_only_addresses_become_links(url):
    """A value that is not a web address is not shown as a link."""
    assert render(an_alert(links={"run": url})).links == ()


def test_an_address_that_is_too_long_is_left_out_not_cut():
    """A shortened address would be wrong."""
    assert render(an_alert(links={"run": "https://x/" + "y" * 800})).links == ()


@pytest.mark.parametrize("character", ["x", "\n", "\x00", "\ud800", "😀", "語", " "])
def test_every_text_is_bounded_and_clean(character):
    """Any payload, however large or odd, gives one page of printable text."""
    text = plain_text(render(a_large_alert(character)))
    assert len(text) < 12_000
    assert text.replace("\n", "").isprintable()
    assert text.encode()


def test_the_last_part_is_dropped_first():
    """The least important part is dropped first, and the remaining parts stay complete."""
    message = render(FIRING)
    whole = plain_text(message)
    assert fit(message, plain_text, len(whole)) == whole
    shorter = str(fit(message, plain_text, len(whole) - 1))
    assert "Most affected queries" not in shorter
    assert "Gains" in shorter
    assert "Drops" not in str(fit(message, plain_text, 1))


def test_a_clipped_text_ends_with_an_ellipsis():
    """A cut text ends with an ellipsis, within the limit."""
    assert clip("abcdef", 6) == "abcdef"
    assert clip("abcdefg", 6) == "abcde…"
    assert one_line(" a \n b\tc ", 10) == "a b c"


def test_times_are_shown_in_utc():
    """A time in another zone is converted to UTC; a time without a zone is read as UTC."""
    assert render(an_alert(opened_at="2026-01-01T05:00:00+02:00")).facts["Opened"] == "2026-01-01 03:00 UTC"
    assert render(an_alert(opened_at="2026-01-01T05:00:00")).opened_at == datetime(2026, 1, 1, 5, tzinfo=UTC)
    assert "Opened" not in render(an_alert(opened_at="yesterday")).facts
