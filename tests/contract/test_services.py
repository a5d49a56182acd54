"""The contract of each notifier with its own service."""

import asyncio
import json
import socket
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from monitor.adapters import registry
from monitor.adapters.notifiers.slack import escape
from monitor.adapters.stores.memory.store import MemoryStore
from monitor.alerting.outbox import OutboxWorker
from monitor.errors import ConfigError, NotifierError, Reason
from monitor.model.deployments import Swap
from monitor.testing.alerts import AT, FIRING, RESOLVED, a_lost_query, an_alert
from tests.contract.fakes import ROUTING_KEY, SERVICES, SIGNING, Fault, MailService, schema
from tests.contract.local_server import Answer, LocalServer, in_turn, reply, reset, serving, unused_port
from tests.contract.test_notifiers import build, delivered, options_of, refusal, send
from tests.waiting import until


def content(name: str, *alerts: Any, **options: Any) -> list[Any]:
    """The content that a service accepted."""
    return [each.content for each in delivered(SERVICES[name], *alerts, **options).received]


# --- Slack


def test_slack_escapes_reserved_characters_and_mentions():
    """A query text cannot create a link or notify a channel."""
    (body,) = content("slack", an_alert(lost_queries=[a_lost_query("<!channel> a & b")]))
    assert "&lt;!channel&gt; a &amp; b" in str(body)
    assert "<!channel>" not in str(body)


@pytest.mark.parametrize("limit", range(1, 30))
def test_an_entity_is_never_split(limit):
    """A shortened text of reserved characters stays within the limit and stays valid."""
    text = escape("&<>" * 10, limit)
    assert len(text) <= limit
    assert text.endswith("…")
    assert text.removesuffix("…").replace("&amp;", "").replace("&lt;", "").replace("&gt;", "") == ""


def test_slack_gets_a_button_for_each_link():
    """The message has buttons for comparison, incident, runbook, dashboard and run."""
    (body,) = content("slack", FIRING)
    assert [each["text"]["text"] for each in body["blocks"][-1]["elements"]] == [
        "Comparison", "Incident", "Runbook", "Dashboard", "Run",
    ]  # fmt: skip


BOT_ANSWERS: dict[str, tuple[Answer, Reason]] = {
    "invalid_auth": (reply(200, {"ok": False, "error": "invalid_auth"}), Reason.UNAUTHORISED),
    "ratelimited": (reply(200, {"ok": False, "error": "ratelimited"}), Reason.RATE_LIMITED),
    "internal_error": (reply(200, {"ok": False, "error": "internal_error"}), Reason.BROKEN),
    "channel_not_found": (reply(200, {"ok": False, "error": "channel_not_found"}), Reason.REJECTED),
    "an odd error": (reply(200, {"ok": False, "error": "xoxb-s3cret-token!"}), Reason.REJECTED),
    "no error": (reply(200, {"ok": False}), Reason.REJECTED),
    "not JSON": (reply(200, b"<html>"), Reason.BROKEN),
    "a list": (reply(200, []), Reason.BROKEN),
    "nothing": (reply(200), Reason.BROKEN),
}


@pytest.mark.parametrize("case", BOT_ANSWERS)
def test_an_error_with_status_200_is_a_failure(case):
    """Slack's `ok: false` is a failure with the matching reason."""
    answer, reason = BOT_ANSWERS[case]
    options = options_of(SERVICES["slack bot"])

    async def run() -> NotifierError:
        async with serving(answer) as server:
            with pytest.raises(NotifierError) as caught:
                await send({**options, "api_url": server.url("/")}, FIRING)
            return caught.value

    error = asyncio.run(run())
    assert error.reason is reason
    assert "s3cret" not in str(error)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"token": "xoxb-1"},
        {"channel": "C1"},
        {"channel": "C1", "token": "xoxb-1", "url": "http://x/"},
        {"url": "hooks.slack.com/x"},
    ],
)
def test_slack_is_either_a_webhook_or_a_bot(options):
    """An incomplete bot, both kinds, or neither is a configuration error."""
    with pytest.raises(ConfigError):
        registry.resolve("notifier", {"kind": "slack", **options}, where="n")


# --- PagerDuty


@pytest.mark.parametrize(("state", "action"), [("firing", "trigger"), ("acknowledged", "acknowledge"),
                                               ("reopened", "trigger"), ("resolved", "resolve")])  # fmt: skip
def test_each_state_has_its_pagerduty_action(state, action):
    """Each state of an incident maps to one PagerDuty action."""
    assert content("pagerduty", an_alert(state))[0]["event_action"] == action


@pytest.mark.parametrize(("severity", "there"), [("critical", "critical"), ("warning", "warning"), ("info", "info"),
                                                 (None, "error"), ("dire", "error")])  # fmt: skip
def test_a_severity_is_valid_at_pagerduty(severity, there):
    """A missing or unknown severity becomes error, which pages."""
    assert content("pagerduty", an_alert(severity=severity))[0]["payload"]["severity"] == there


def test_a_long_dedup_key_is_shortened_deterministically():
    """Keys that differ only at the end stay different, and equal keys stay equal."""
    keys = [f"recallwatch/{'p' * 300}/{n}" for n in (1, 2, 1)]
    body = content("pagerduty", *(replace(FIRING, dedup_key=key) for key in keys))
    first, second, third = (each["dedup_key"] for each in body)
    assert first == third != second


SWAP = Swap(
    target="production",
    suite_name="broad",
    run_id="run-2",
    previous_run_id="run-1",
    declared=False,
    share_changed=0.43,
    detected_at=FIRING.created_at,
)


def announced(*answers: Answer) -> tuple[LocalServer, OutboxWorker]:
    """The requests to PagerDuty and a webhook when a swap is announced, an hour after each answer but the last."""

    async def run() -> tuple[LocalServer, OutboxWorker]:
        async with serving(in_turn(*answers)) as server:
            keys = {"routing_key": ROUTING_KEY, "change_url": server.url("/v2/change/enqueue")}
            pager = registry.resolve("notifier", {"kind": "pagerduty", **keys}, where="n").build()
            hook = registry.resolve(
                "notifier", {"kind": "webhook", "url": server.url("/hook"), "secret": SIGNING}, where="n"
            ).build()
            courier = OutboxWorker(MemoryStore(swaps=[SWAP]), {"pager": pager, "hook": hook}, lambda: AT)
            for hours in range(len(answers) + 1):
                at = FIRING.created_at + timedelta(hours=hours)
                await replace(courier.announcer(), now=at.replace).announce_due()
            await asyncio.gather(pager.close(), hook.close())
            return server, courier

    return asyncio.run(run())


ACCEPTED = reply(202, {"status": "success"})


def test_a_model_swap_is_a_change_event_at_pagerduty():
    """The change event matches its schema and is sent once; a notifier without change events gets no request."""
    (request,) = announced(ACCEPTED)[0].requests
    body = json.loads(request.body)
    schema("pagerduty_change").validate(body)
    assert request.path == "/v2/change/enqueue"
    assert body["payload"]["summary"] == "production: silent swap, 43% of the rankings of broad changed"


def test_a_change_event_is_retried_until_pagerduty_has_it():
    """A failed announcement is counted and sent again, like an alert."""
    server, courier = announced(reply(500, {}), reset, reply(400, {}), ACCEPTED)
    assert len(server.requests) == 4
    assert len({request.body for request in server.requests}) == 1
    assert courier.failed == {("pager", Reason.BROKEN): 2, ("pager", Reason.REJECTED): 1}


def test_a_swap_of_yesterday_is_not_announced_any_more():
    """A timeline that could not be reached for a day gets no old news."""
    server, _ = announced(*[reply(500, {})] * 30)
    assert len(server.requests) == 25


def test_pagerduty_shows_links_and_details():
    """The event has a link to the run, the drops and the next command."""
    (body,) = content("pagerduty", FIRING)
    assert {"href": "https://watch.example.org/runs/r1", "text": "Run"} in body["links"]
    shown = {"Likely cause", "Blame", "Lost", "Drops", "Look closer with", "Acknowledge with", "Incident"}
    assert shown <= set(body["payload"]["custom_details"])


def test_a_routing_key_has_32_characters():
    """An incomplete key is a configuration error."""
    with pytest.raises(ConfigError, match="32 characters"):
        registry.resolve("notifier", {"kind": "pagerduty", "routing_key": "abc"}, where="n")


# --- Alertmanager


def test_an_alert_fires_until_it_is_resolved():
    """The end of a firing alert is far away, because Alertmanager's five minutes are for clients that resend."""
    (first,), (second, *_) = content("alertmanager", FIRING, RESOLVED, fires_for="7d")
    assert first["startsAt"] == second["startsAt"] == AT.isoformat()
    assert first["endsAt"] == (AT + timedelta(days=7)).isoformat()
    assert second["endsAt"] == (AT + timedelta(seconds=7_500)).isoformat()


def test_an_end_before_the_start_becomes_the_start():
    """A clock that was set back gives no alert that Alertmanager rejects."""
    ((body, *_),) = content("alertmanager", an_alert("resolved", resolved_at="2025-12-31T00:00:00+00:00"))
    assert body["endsAt"] == body["startsAt"]


def test_alertmanager_routes_by_labels_and_shows_annotations():
    """Severity and target are labels, runbook and text are annotations, and the comparison is the generator URL."""
    ((body,),) = content("alertmanager", FIRING)
    assert body["labels"] == {
        "alertname": "RecallwatchIncident", "dedup_key": "recallwatch/production", "target": "production",
        "severity": "critical", "owner": "search", "axis": "broad", "suite": "broad", "stratum": "overall",
        "kind": "regression",
    }  # fmt: skip
    assert body["annotations"]["runbook_url"] == "https://docs.example.org/runbook"
    assert body["generatorURL"] == "https://watch.example.org/comparisons/v1"


def test_a_test_alert_ends_by_itself():
    """A test message fires for minutes, not for the time of an alert that is never resolved."""
    ((body,),) = content("alertmanager", an_alert(test=True))
    assert body["endsAt"] == (AT + timedelta(minutes=5)).isoformat()


def test_an_incident_that_got_worse_replaces_its_alert():
    """The warning ends when the incident becomes critical, and all its alerts end when it is resolved."""
    later = AT + timedelta(hours=1)
    worse = an_alert(at=later)
    body = content("alertmanager", an_alert(severity="warning"), worse, an_alert("resolved", at=later))
    ends = [{each["labels"]["severity"]: each["endsAt"] for each in posted} for posted in body]
    far, near = (AT + timedelta(days=30)).isoformat(), later.isoformat()
    assert ends[0] == {"warning": far}
    assert ends[1] == {"critical": (later + timedelta(days=30)).isoformat(), "warning": near}
    resolved_at = AT + timedelta(seconds=7_500)
    inhibits_until = (resolved_at + timedelta(minutes=2)).isoformat()  # Prometheus ends its own alert meanwhile
    assert ends[2] == {"critical": resolved_at.isoformat(), "warning": near, "none": inhibits_until}


# --- Teams


def test_teams_shows_plain_text():
    """A query text is not interpreted as Markdown."""
    (card,) = content("teams", an_alert(lost_queries=[a_lost_query("*a* [b](http://c) _d_")]))
    assert "“*a* [b](http://c) _d_”" in str(card)
    assert {each["type"] for each in card["body"]} == {"RichTextBlock"}


# --- e-mail


@pytest.mark.parametrize("security", ["starttls", "tls", "none"])
def test_mail_goes_out_over_each_kind_of_connection(security):
    """Mail is sent over TLS, STARTTLS or plain text, as configured."""
    (received,) = delivered(MailService(security=security), FIRING).received
    assert received.content["Subject"].startswith("[recallwatch critical] Search on production got worse")


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_an_untrusted_certificate_is_rejected(security):
    """A server with an untrusted certificate gets neither the password nor the message."""
    error, fake = refusal(MailService(security=security), ca_file=None)
    assert error.reason is Reason.UNREACHABLE
    assert fake.attempts == 0


def test_a_server_without_starttls_is_refused():
    """Nothing is sent without the configured encryption."""
    error, fake = refusal(MailService(security="none"), security="starttls")
    assert error.reason is Reason.REJECTED
    assert fake.attempts == 0


def test_a_wrong_password_is_unauthorised():
    """A rejected password has its own reason, and the error does not show it."""
    error, _ = refusal(SERVICES["email"], password="s3cret-wrong")
    assert error.reason is Reason.UNAUTHORISED
    assert "s3cret" not in str(error)


def test_messages_of_an_incident_are_one_thread():
    """Each message has its own stable id, and all messages of an incident refer to the same thread."""
    first, again, second = content("email", FIRING, FIRING, RESOLVED)
    assert first["Message-ID"] == again["Message-ID"] != second["Message-ID"]
    assert first["References"] == second["References"] == second["In-Reply-To"] == "<incident_1@example.org>"


def test_no_text_of_an_alert_becomes_a_header():
    """Line breaks in a target or an id cannot add a header."""
    odd = "x\r\nBcc: everybody@example.org"
    alert = replace(an_alert(target=odd), alert_id=odd, incident_id=odd, dedup_key=odd)
    (message,) = content("email", alert)
    assert message["Bcc"] is None
    assert "Bcc: everybody" in message["Subject"]


@pytest.mark.parametrize(
    "change",
    [
        {"security": "none"},  # with a password
        {"user": None},
        {"password": None},
        {"recipients": []},
        {"recipients": ["on-call"]},
        {"recipients": ["a@b, c@d"]},
        {"sender": "Ada <ada@example.org>\n"},
        {"ca_file": "/nowhere.pem"},
        {"ca_file": __file__},
        {"host": ""},
    ],
)
def test_wrong_mail_options_are_a_configuration_error(change):
    """Invalid options, or a password without encryption, are a configuration error."""
    options = {key: value for key, value in {**options_of(SERVICES["email"]), **change}.items() if value is not None}
    with pytest.raises(ConfigError, match=r"^n"):
        registry.resolve("notifier", options, where="n")


def test_a_silent_mail_server_does_not_block_name_lookups():
    """Names are resolved while many messages wait for a mail server that does not respond."""

    async def run() -> None:
        async with SERVICES["email"].running(*[Fault.IS_SILENT] * 40) as fake:
            notifier = build({**fake.options, "timeout": "120s"})
            waiting = [asyncio.create_task(notifier.notify(FIRING)) for _ in range(40)]
            await until(lambda: fake.attempts)
            async with asyncio.timeout(100):
                await asyncio.get_running_loop().getaddrinfo("localhost", 80)
            assert not any(each.done() for each in waiting)
        refused = await asyncio.gather(*waiting, return_exceptions=True)  # the server is gone now
        await notifier.close()
        assert {type(each) for each in refused} == {NotifierError}

    asyncio.run(run())


def test_one_refused_recipient_is_a_failure():
    """A delivery fails if any recipient is refused, even if others got the message."""
    error, fake = refusal(SERVICES["email"], recipients=["on-call@example.org", "nobody@example.org"])
    assert error.reason is Reason.REJECTED
    assert len(fake.received) == 1


# --- names that resolve to forbidden addresses


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254"])
def test_a_name_that_resolves_to_a_link_local_address_is_refused(address, monkeypatch):
    """A name that resolves to a cloud's metadata address is refused."""
    resolve_to(address, monkeypatch)
    with pytest.raises(NotifierError, match="never allowed") as caught:
        asyncio.run(send({"kind": "teams", "url": "http://hooks.example.org/x"}, FIRING))
    assert caught.value.reason is Reason.UNREACHABLE


def test_a_name_of_this_machine_is_reached():
    """A name that resolves to loopback works: the operator chose it."""

    async def run() -> int:
        async with serving(reply(202)) as server:
            await send({"kind": "teams", "url": server.url("/x").replace("127.0.0.1", "localhost")}, FIRING)
            return len(server.requests)

    assert asyncio.run(run()) == 1


def resolve_to(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every name resolve to an address, because these addresses cannot be real in a test."""
    is_v6 = ":" in address
    family = socket.AF_INET6 if is_v6 else socket.AF_INET
    place = (address, unused_port(), 0, 0) if is_v6 else (address, unused_port())
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(family, socket.SOCK_STREAM, 6, "", place)])
