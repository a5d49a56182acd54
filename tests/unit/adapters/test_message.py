"""What a person reads of an alert."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from monitor.adapters.notifiers.message import clip, fit, one_line, plain_text, render
from tests.contract.alerts import AT, FIRING, RESOLVED, a_fall, a_large_alert, a_lost_query, an_alert


def lines(title: str, **told: object) -> tuple[str, ...]:
    """The lines of one part of a message."""
    return next((part.lines for part in render(an_alert(**told)).parts if part.title == title), ())


def test_a_title_says_state_target_and_verdict():
    """Who reads only the title knows what is the matter where."""
    assert render(FIRING).title == "[FIRING] production: trade off"


@pytest.mark.parametrize(
    ("told", "title"),
    [
        ({"verdict": "", "kind": "no_data"}, "[FIRING] production: no data"),
        ({"verdict": "", "kind": "dead_letter"}, "[FIRING] production: dead letter"),
        ({"verdict": "regressed", "reopened": 1}, "[FIRING AGAIN] production: regressed"),
        ({"verdict": None, "kind": None}, "[FIRING] production: alert"),
    ],
)
def test_a_title_tells_incidents_of_other_kinds(told, title):
    """An incident without a verdict is told by its kind; one that came back says so."""
    assert render(an_alert(**told)).title == title


def test_a_test_says_so_first():
    """An alert that is a test cannot be taken for a page."""
    assert render(an_alert(test=True)).title.startswith("TEST ")


def test_a_fall_is_told_with_its_certainty():
    """Where, from what to what, by how much, between which limits, how sure, on how many queries."""
    told = a_fall(lower=-0.22, upper=-0.16, stratum="billing")
    assert lines("Fell", fallen=[told]) == (
        "broad billing recall@10: 0.759 → 0.569, -19.0 points, 95 % interval -22.0 … -16.0, adjusted p = 0.0001, "
        "826 queries, 186 clusters, detectable from 2.1",
    )


def test_a_rise_is_told_with_the_p_of_a_rise():
    """What rose is not shown with the probability that it fell."""
    (line,) = lines("Rose", risen=[a_fall("mrr@10", 0.2)])
    assert "+20.0 points" in line
    assert "adjusted p = 0.002" in line


def test_the_worst_come_first_and_the_rest_is_counted():
    """Five measures are told, those that fell most, and how many there are besides."""
    told = lines("Fell", fallen=[a_fall(f"m{n}", -n / 100) for n in range(1, 9)])
    assert [line.split()[1] for line in told[:5]] == ["m8:", "m7:", "m6:", "m5:", "m4:"]
    assert told[5:] == ("… and 3 more",)


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), "many"])
def test_a_number_that_does_not_exist_is_left_out(value):
    """A missing or endless number is not shown as a word of the machine."""
    (line,) = lines("Fell", fallen=[a_fall(mde=value, lower=value)])
    assert "detectable" not in line
    assert "interval" not in line
    assert not {"nan", "inf", "None", "many"} & set(line.replace(",", " ").split())


def test_a_lost_query_shows_what_was_expected_and_what_comes_now():
    """The text, its stratum, and the documents before and now."""
    told = lines("Lost most", lost_queries=[a_lost_query()])
    assert told == ("“which invoices are overdue?” (billing): expected d1; before d1, d2; now d8, d9",)


def test_a_query_whose_text_is_withheld_is_told_by_its_id():
    """A policy that withholds texts still lets on-call find the query."""
    assert lines("Lost most", lost_queries=[a_lost_query(None)])[0].startswith("q17 (billing): expected d1")


def test_a_long_query_leaves_room_for_its_documents():
    """A query of any length does not push out what came back."""
    (line,) = lines("Lost most", lost_queries=[a_lost_query("why " * 1_000)])
    assert line.endswith("expected d1; before d1, d2; now d8, d9")


def test_a_resolved_message_says_how_long_it_lasted():
    """The end is told with the time and the duration."""
    facts = render(RESOLVED).facts
    assert facts["Resolved"] == "2026-01-01 05:09 UTC"
    assert facts["Lasted"] == "2 h 5 min"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "less than a minute"), (60, "1 min"), (3_600, "1 h"), (90_061, "1 d 1 h 1 min"), (None, None), ("x", None)],
)
def test_durations_are_told_in_days_hours_and_minutes(seconds, said):
    """Units that are nought are not named."""
    assert render(an_alert(duration_s=seconds)).facts.get("Lasted") == said


@pytest.mark.parametrize(
    ("declared", "said"), [(True, "v2, declared"), (False, "v2, noticed in the rankings"), (None, "v2")]
)
def test_a_deployment_says_how_it_is_known(declared, said):
    """Whether the target said so itself or the rankings show it."""
    assert render(an_alert(deployment={"candidate": "v2", "declared": declared})).facts["Serving now"] == said
    dated = {"candidate": "v2", "declared": declared, "since": AT.isoformat()}
    assert render(an_alert(deployment=dated)).facts["Serving now"] == f"{said}, since 2026-01-01 03:04 UTC"


def test_there_are_never_more_than_ten_facts():
    """Slack shows ten fields and no more."""
    assert len(render(an_alert("resolved", acknowledged_by="ada")).facts) == 10


def test_what_is_absent_is_left_out():
    """A payload as small as it gets makes a message without empty lines or words of the machine."""
    data = {"state": "firing", "target": "production", "summary": "It fell."}
    message = render(replace(FIRING, payload={"data": data}))
    assert plain_text(message) == "It fell.\n\nTarget: production\nMatter: alert"
    assert message.opened_at == AT
    assert message.ended_at is None


def test_no_payload_at_all_is_a_message():
    """An alert with an empty payload can still be told."""
    assert render(replace(FIRING, payload={})).title == "[FIRING] : alert"


@pytest.mark.parametrize(("state", "is_closed"), [("firing", False), ("acknowledged", False), ("resolved", True),
                                                ("reopened", False), ("dismissed", True)])  # fmt: skip
def test_which_states_end_an_incident(state, is_closed):
    """Only resolved and dismissed need nobody any more."""
    message = render(an_alert(state))
    assert message.is_closed is is_closed
    assert (message.ended_at is not None) is is_closed


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "ftp://x/", "https://x/ y", "https://x/>|", "https://x/\n", "https://ü/", 7, None]
)
def test_only_addresses_become_links(url):
    """A link leads to a web page, or is not shown."""
    assert render(an_alert(links={"run": url})).links == ()


def test_an_address_that_is_too_long_is_left_out_not_cut():
    """A shortened address would lead astray."""
    assert render(an_alert(links={"run": "https://x/" + "y" * 800})).links == ()


@pytest.mark.parametrize("character", ["x", "\n", "\x00", "\ud800", "😀", "語", " "])
def test_every_text_is_bounded_and_clean(character):
    """However large and odd a payload is, the message is one page of printable text."""
    text = plain_text(render(a_large_alert(character)))
    assert len(text) < 12_000
    assert text.replace("\n", "").isprintable()
    assert text.encode()


def test_what_does_not_fit_goes_from_the_end():
    """The least important part is left out first, and what remains is whole."""
    message = render(FIRING)
    whole = plain_text(message)
    assert fit(message, plain_text, len(whole)) == whole
    shorter = str(fit(message, plain_text, len(whole) - 1))
    assert "Lost most" not in shorter
    assert "Rose" in shorter
    assert "Fell" not in str(fit(message, plain_text, 1))


def test_a_clipped_text_ends_with_an_ellipsis():
    """A text that was cut says so, within the limit."""
    assert clip("abcdef", 6) == "abcdef"
    assert clip("abcdefg", 6) == "abcde…"
    assert one_line(" a \n b\tc ", 10) == "a b c"


def test_times_are_told_in_utc():
    """A time of another zone is the same instant in UTC; one without a zone is taken as UTC."""
    assert render(an_alert(opened_at="2026-01-01T05:00:00+02:00")).facts["Opened"] == "2026-01-01 03:00 UTC"
    assert render(an_alert(opened_at="2026-01-01T05:00:00")).opened_at == datetime(2026, 1, 1, 5, tzinfo=UTC)
    assert "Opened" not in render(an_alert(opened_at="yesterday")).facts
