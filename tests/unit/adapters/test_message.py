"""The readable message of an alert."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from monitor.adapters.notifiers.message import fit, plain_text, render
from monitor.adapters.notifiers.texts import clip, one_line
from monitor.testing.alerts import AT, FIRING, RESOLVED, a_fall, a_large_alert, a_lost_query, an_alert


def lines(title: str, **data: object) -> tuple[str, ...]:
    """The lines of one part of a message."""
    return next((part.lines for part in render(an_alert(**data)).parts if part.title == title), ())


def test_the_title_says_what_got_worse_and_since_which_deployment():
    """The first line names the target, the deployment, when it was declared and by which pipeline."""
    assert render(FIRING).title == "Search on production got worse after minilm-v2 (declared 03:04 UTC by ci)"


def test_the_subject_has_product_severity_and_size():
    """A subject alone is enough to decide whether to get up."""
    subject = render(FIRING).subject
    assert subject.startswith("[recallwatch critical] Search on production got worse after minilm-v2")
    assert subject.endswith(": 19 of 100 answers lost")


@pytest.mark.parametrize(
    ("state", "data", "title"),
    [
        ("firing", {"kind": "no_data"}, "No data about production"),
        ("firing", {"kind": "dead_letter", "subject": "pager"}, "Notifier pager does not deliver alerts"),
        ("resolved", {"kind": "no_data"}, "Resolved after 2 h 5 min: data about production arrives again"),
        ("resolved", {"resolution": "rolled_back"},
         "Resolved after 2 h 5 min: search on production equals its baseline again"),
        ("resolved", {"resolution": "recovered"}, "Resolved after 2 h 5 min: search on production recovered"),
        ("acknowledged", {"deployment": {}}, "Acknowledged by ada: search on production got worse"),
        ("reminder", {"deployment": {}, "open_s": 14_400},
         "Still open after 4 h: search on production got worse"),
        ("firing", {"deployment": {}, "reopened": 1}, "Search on production got worse again"),
        ("firing", {"deployment": {}, "headline": a_fall("answer_f1")}, "Answers of production got worse"),
    ],
)  # fmt: skip
def test_a_title_follows_the_life_of_an_incident(state, data, title):
    """Each message says in its first line how the incident stands."""
    assert render(an_alert(state, **data)).title == title


@pytest.mark.parametrize(
    ("deployment", "words"),
    [
        ({"candidate": "v2", "declared": True, "since": AT.isoformat()}, " after v2 (declared 03:04 UTC)"),
        ({"candidate": "v2", "declared": False, "since": AT.isoformat()}, " after v2 (detected 03:04 UTC)"),
        ({"candidate": "v2", "declared": None}, " after v2"),
        ({"candidate": "unnamed (ed8c)", "declared": False, "since": AT.isoformat()},
         " after a silent change (detected 03:04 UTC)"),
        ({"candidate": "v2", "declared": True, "since": "2025-12-31T23:59:00+00:00"},
         " after v2 (declared 2025-12-31 23:59 UTC)"),
        ({"candidate": "unnamed (ed8c)"}, ""),
    ],
)  # fmt: skip
def test_a_title_names_the_deployment_and_never_a_fingerprint(deployment, words):
    """A name where it is known, and how the change became known; a fingerprint means nothing to on-call."""
    assert render(an_alert(deployment=deployment)).title == f"Search on production got worse{words}"


def test_a_test_alert_starts_with_test():
    """A test alert cannot be mistaken for a page."""
    assert render(an_alert(test=True)).title.startswith("TEST ")


def test_the_extent_is_in_answers_of_a_hundred():
    """Recall is told as answers that are no longer found, with means and interval in the direction of the loss."""
    assert render(an_alert(gain=None)).text == (
        "19 of 100 known answers are no longer found: broad recall@10 0.759 → 0.569 (−16 to −22 points)."
    )


def test_the_extent_of_a_stratum_names_it():
    """A drop of one domain is not told as a drop of the whole axis."""
    text = render(an_alert(headline=a_fall(stratum="billing"))).text
    assert text.startswith("19 of 100 known answers about billing are no longer found: broad billing recall@10")


@pytest.mark.parametrize(
    ("gain", "words"), [(0.0, "Structure gained nothing."), (0.2, "Structure gained: "), (-0.2, "Structure lost: ")]
)
def test_the_extent_says_what_structure_gained(gain, words):
    """A trade-off shows its other side; a gain whose interval contains zero is none."""
    row = a_fall("pair_accuracy", gain, axis="compositional")
    assert words in render(an_alert(gain=row)).text


def test_other_measures_are_told_in_their_own_unit():
    """A drop of separation is in standard deviations, not in points."""
    row = a_fall("separation", -0.42, axis="compositional", lower=-0.5, upper=-0.34)
    message = render(an_alert(headline=row))
    assert "(−0.34 to −0.50 standard deviations)" in message.text
    assert message.subject.endswith("compositional separation −0.42 standard deviations")


def test_the_cause_names_what_it_rules_out():
    """The likely cause has its extent, the parts that it is not, and its evidence."""
    assert lines("Likely cause") == (
        "the embedding model changed: 99 % of rankings changed (not: index, corpus, configuration)",
        "The vectors of queries and documents moved.",
    )
    assert lines("Likely cause", cause={"share_changed": 0.4}) == ("not determined: 40 % of rankings changed",)


def test_the_blame_has_the_shares_of_the_drop():
    """The larger share comes first; without answers the message says that they were not compared."""
    assert lines("Blame") == ("retrieval 92 %, generation 8 % of the drop of answer_f1",)
    only_retrieval = {"shares": {"retrieval": 1.0}, "measure": None}
    assert lines("Blame", blame=only_retrieval) == ("retrieval; answers were not compared",)


def test_the_worst_strata_are_one_line():
    """The strata that lost most with their points, and the number of all others."""
    assert lines("Worst") == ("travel −31 · science −27 · billing −24 · legal contracts −20 … 1 more, 1 unchanged",)


def test_the_drops_have_one_line_for_each_stratum_and_the_whole_axis_first():
    """Several measures of one stratum share a line, so that four of five lines cannot be the same stratum."""
    assert lines("Drops") == (
        "whole broad axis: recall@10 0.759 → 0.569 (−16 to −22 points, adjusted p = 0.0001); also mrr@10 −15",
        "broad billing: recall@10 0.759 → 0.569 (−16 to −22 points, adjusted p = 0.0001)",
    )


def test_the_rest_of_the_drops_is_counted():
    """Six strata are listed and the others are counted."""
    drops = lines("Drops", fallen=[a_fall(stratum=f"domain {n}") for n in range(9)])
    assert len(drops) == 7
    assert drops[-1] == "… 3 more"


def test_a_gain_is_shown_with_the_p_value_of_a_gain():
    """A gain is not shown with the p-value of a drop."""
    (line,) = lines("Gains", risen=[a_fall("mrr@10", 0.2)])
    assert "+17 to +23 points, adjusted p = 0.002" in line


def test_the_certainty_has_the_smallest_drop_that_would_have_been_seen():
    """The message says how sure it is, and what it could have missed."""
    assert lines("How sure") == (
        "adjusted p = 0.0001, 826 queries in 186 clusters; drops from 3 points would have been seen",
    )


def test_a_lost_query_shows_titles_and_ranks():
    """A lost query shows its text, stratum, the expected document by its title, both ranks, and what is first now."""
    assert lines("Lost", lost_queries=[a_lost_query()]) == (
        "“which invoices are overdue?” (billing) wanted Dunning of late payers, rank 1 → 14; "
        "now first: Tenancy deposits",
    )


def test_a_document_without_a_title_is_shown_by_its_id():
    """Ids stand where no title is known."""
    (line,) = lines("Lost", lost_queries=[{**a_lost_query(), "titles": None, "rank_now": None}])
    assert line.endswith("wanted d1, rank 1 → not found; now first: d8")


def test_the_advice_names_the_deployment_to_return_to():
    """Roll back is a step only with its goal."""
    assert lines("Next") == ("roll back to minilm-v1",)


def test_the_forest_plot_starts_with_the_whole_axis():
    """The bars of the plot are the whole axis and its strata, each with its interval."""
    bars = render(FIRING).bars
    assert [bar.label for bar in bars[:2]] == ["whole axis", "travel"]
    assert all(bar.lower < bar.difference < bar.upper for bar in bars)


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), "many"])
def test_a_number_that_does_not_exist_is_left_out(value):
    """A missing or infinite number is not shown as nan, inf or None."""
    (line,) = lines("Drops", fallen=[a_fall(p_worse_adjusted=value, lower=value)])
    assert "adjusted p" not in line
    assert " to " not in line
    assert not {"nan", "inf", "None", "many"} & set(line.replace(",", " ").split())


def test_a_query_with_a_withheld_text_is_shown_by_its_id():
    """A policy that withholds texts still lets on-call identify the query."""
    assert lines("Lost", lost_queries=[a_lost_query(None)])[0].startswith("q17 (billing) wanted")
    assert lines("Lost", lost_queries=[a_lost_query("sha256:12")])[0].startswith("q17 (billing) wanted")


def test_a_long_query_leaves_room_for_its_documents():
    """A long query text does not displace the retrieved documents."""
    (line,) = lines("Lost", lost_queries=[a_lost_query("why " * 1_000)])
    assert line.endswith("now first: Tenancy deposits")
    assert "why…”" in line  # cut between words


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


def test_there_are_never_more_than_ten_facts():
    """Slack shows at most ten fields."""
    assert len(render(an_alert("resolved", acknowledged_by="ada")).facts) == 10
    assert render(an_alert("resolved", acknowledged_by="ada")).facts["Incident"] == "incident_1"


def test_absent_keys_are_left_out():
    """A minimal payload gives a message without empty lines or placeholders."""
    data = {"state": "firing", "target": "production", "summary": "It fell."}
    message = render(replace(FIRING, payload={"data": data}))
    assert plain_text(message) == "Search on production got worse\n\nIt fell."
    assert message.opened_at == AT
    assert message.ended_at is None


def test_an_empty_payload_still_gives_a_message():
    """An alert with an empty payload can still be rendered."""
    assert render(replace(FIRING, payload={})).title == "Search on an unnamed target got worse"


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
    assert "Gains" not in shorter
    assert "Drops" in shorter
    assert "Likely cause" not in str(fit(message, plain_text, 1))


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
