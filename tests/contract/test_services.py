"""What each notifier promises of its own service."""

import asyncio
import json
import socket
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from monitor.adapters import registry
from monitor.adapters.http import transport
from monitor.adapters.notifiers.slack import escape
from monitor.adapters.stores.memory.store import MemoryStore
from monitor.alerting.outbox import OutboxWorker
from monitor.errors import ConfigError, NotifierError, Reason
from monitor.model.deployments import Swap
from monitor.testing.alerts import AT, FIRING, RESOLVED, a_lost_query, an_alert
from tests.contract.fakes import ROUTING_KEY, SERVICES, SIGNING, Fault, MailService, schema
from tests.contract.local_server import Answer, LocalServer, reply, serving, unused_port
from tests.contract.test_notifiers import build, delivered, options_of, refusal, send
from tests.waiting import until


def content(name: str, *alerts: Any, **options: Any) -> list[Any]:
    """What a service took."""
    return [each.content for each in delivered(SERVICES[name], *alerts, **options).received]


# --- Slack


def test_slack_shows_reserved_characters_and_mentions_nobody():
    """A query text cannot make a link or call a whole channel."""
    (said,) = content("slack", an_alert(lost_queries=[a_lost_query("<!channel> a & b")]))
    assert "&lt;!channel&gt; a &amp; b" in str(said)
    assert "<!channel>" not in str(said)


@pytest.mark.parametrize("limit", range(1, 30))
def test_an_entity_is_never_cut_apart(limit):
    """A shortened text of reserved characters stays within the limit and is still right."""
    text = escape("&<>" * 10, limit)
    assert len(text) <= limit
    assert text.endswith("…")
    assert text.removesuffix("…").replace("&amp;", "").replace("&lt;", "").replace("&gt;", "") == ""


def test_slack_gets_a_button_for_each_link():
    """Run, comparison, dashboard and runbook are one click away."""
    (said,) = content("slack", FIRING)
    assert [each["text"]["text"] for each in said["blocks"][-1]["elements"]] == [
        "Run", "Comparison", "Dashboard", "Runbook",
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
def test_a_bot_that_is_refused_with_status_200_is_told(case):
    """Slack's `ok: false` is a failure, with a reason that says whether to try again."""
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
    """Half a bot, both, or neither is a configuration error."""
    with pytest.raises(ConfigError):
        registry.resolve("notifier", {"kind": "slack", **options}, where="n")


# --- PagerDuty


@pytest.mark.parametrize(("state", "action"), [("firing", "trigger"), ("acknowledged", "acknowledge"),
                                               ("reopened", "trigger"), ("resolved", "resolve")])  # fmt: skip
def test_pagerduty_does_what_the_state_says(state, action):
    """Each state of an incident is the action that PagerDuty has for it."""
    assert content("pagerduty", an_alert(state))[0]["event_action"] == action


@pytest.mark.parametrize(("severity", "there"), [("critical", "critical"), ("warning", "warning"), ("info", "info"),
                                                 (None, "error"), ("dire", "error")])  # fmt: skip
def test_a_severity_is_one_that_pagerduty_knows(severity, there):
    """What is absent or unknown is an error there, which pages."""
    assert content("pagerduty", an_alert(severity=severity))[0]["payload"]["severity"] == there


def test_a_long_dedup_key_is_shortened_the_same_way_each_time():
    """Two keys that differ only at the end stay different, and one stays itself."""
    keys = [f"recallwatch/{'p' * 300}/{n}" for n in (1, 2, 1)]
    said = content("pagerduty", *(replace(FIRING, dedup_key=key) for key in keys))
    first, second, third = (each["dedup_key"] for each in said)
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


def announced(answer: Answer) -> tuple[LocalServer, OutboxWorker]:
    """What PagerDuty and a webhook are asked when a swap is announced."""

    async def run() -> tuple[LocalServer, OutboxWorker]:
        async with serving(answer) as server:
            keys = {"routing_key": ROUTING_KEY, "change_url": server.url("/v2/change/enqueue")}
            pager = registry.resolve("notifier", {"kind": "pagerduty", **keys}, where="n").build()
            hook = registry.resolve(
                "notifier", {"kind": "webhook", "url": server.url("/hook"), "secret": SIGNING}, where="n"
            ).build()
            courier = OutboxWorker(MemoryStore(), {"pager": pager, "hook": hook}, lambda: FIRING.created_at)
            courier.announce([SWAP])
            await asyncio.gather(*courier._announcements)
            await asyncio.gather(pager.close(), hook.close())
            return server, courier

    return asyncio.run(run())


def test_a_model_swap_is_a_change_event_at_pagerduty_and_pages_nobody():
    """The change is on the timeline as its schema has it; a notifier without one is left alone."""
    (asked,) = announced(reply(202, {"status": "success"}))[0].requests
    said = json.loads(asked.body)
    schema("pagerduty_change").validate(said)
    assert asked.path == "/v2/change/enqueue"
    assert said["payload"]["summary"] == "production: silent swap, 43% of the rankings of broad changed"


def test_a_change_that_cannot_be_announced_is_counted_and_harms_nothing():
    """The remark is tried once; what pages goes through the outbox."""
    server, courier = announced(reply(500, {}))
    assert len(server.requests) == 1
    assert courier.failed == {("pager", Reason.BROKEN): 1}


def test_pagerduty_shows_links_and_details():
    """The run is linked, and the details hold what fell and the next command."""
    (said,) = content("pagerduty", FIRING)
    assert {"href": "https://watch.example.org/runs/r1", "text": "Run"} in said["links"]
    assert {"Drops", "Most affected queries", "Next command", "Incident"} <= set(said["payload"]["custom_details"])


def test_a_routing_key_has_32_characters():
    """A key that was cut while copying is found before anything starts."""
    with pytest.raises(ConfigError, match="32 characters"):
        registry.resolve("notifier", {"kind": "pagerduty", "routing_key": "abc"}, where="n")


# --- Alertmanager


def test_an_alert_fires_until_it_is_resolved():
    """Alertmanager is told an end far away, because its own five minutes are for clients that repeat themselves."""
    (first,), (second, *_) = content("alertmanager", FIRING, RESOLVED, fires_for="7d")
    assert first["startsAt"] == second["startsAt"] == AT.isoformat()
    assert first["endsAt"] == (AT + timedelta(days=7)).isoformat()
    assert second["endsAt"] == (AT + timedelta(seconds=7_500)).isoformat()


def test_an_end_before_the_start_is_moved_to_it():
    """A clock that was set back does not make an alert that Alertmanager refuses."""
    ((said, *_),) = content("alertmanager", an_alert("resolved", resolved_at="2025-12-31T00:00:00+00:00"))
    assert said["endsAt"] == said["startsAt"]


def test_alertmanager_routes_by_labels_and_shows_annotations():
    """Severity and target are labels; runbook and text are annotations; the comparison is the origin."""
    ((said,),) = content("alertmanager", FIRING)
    assert said["labels"] == {
        "alertname": "RecallwatchIncident", "dedup_key": "recallwatch/production", "target": "production",
        "severity": "critical",
    }  # fmt: skip
    assert said["annotations"]["runbook_url"] == "https://docs.example.org/runbook"
    assert said["generatorURL"] == "https://watch.example.org/compare/b1/r1"


def test_an_incident_that_got_worse_is_one_alert_again():
    """What fired as a warning ends when it fires as critical, and whatever fires ends when it is resolved."""
    later = AT + timedelta(hours=1)
    worse = an_alert(at=later)
    said = content("alertmanager", an_alert(severity="warning"), worse, an_alert("resolved", at=later))
    ends = [{each["labels"]["severity"]: each["endsAt"] for each in posted} for posted in said]
    far, near = (AT + timedelta(days=30)).isoformat(), later.isoformat()
    assert ends[0] == {"warning": far}
    assert ends[1] == {"critical": (later + timedelta(days=30)).isoformat(), "warning": near}
    assert ends[2] == {"critical": (AT + timedelta(seconds=7_500)).isoformat(), "warning": near}


# --- Teams


def test_teams_shows_a_text_as_it_is():
    """Nothing in a query is taken for Markdown."""
    (card,) = content("teams", an_alert(lost_queries=[a_lost_query("*a* [b](http://c) _d_")]))
    assert "“*a* [b](http://c) _d_”" in str(card)
    assert {each["type"] for each in card["body"]} == {"RichTextBlock"}


# --- e-mail


@pytest.mark.parametrize("security", ["starttls", "tls", "none"])
def test_mail_goes_out_over_each_kind_of_connection(security):
    """Encrypted from the start, after STARTTLS, or not at all, as configured."""
    (received,) = delivered(MailService(security=security), FIRING).received
    assert received.content["Subject"] == "[FIRING] production: trade off"


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_of_nobody_known_is_refused(security):
    """A server that cannot prove who it is gets neither the password nor the message."""
    error, fake = refusal(MailService(security=security), ca_file=None)
    assert error.reason is Reason.UNREACHABLE
    assert fake.attempts == 0


def test_a_server_without_starttls_is_refused():
    """Where encryption is wanted, nothing is sent without it."""
    error, fake = refusal(MailService(security="none"), security="starttls")
    assert error.reason is Reason.REJECTED
    assert fake.attempts == 0


def test_a_wrong_password_is_told():
    """The server's refusal of the password has its own reason, and does not show it."""
    error, _ = refusal(SERVICES["email"], password="s3cret-wrong")
    assert error.reason is Reason.UNAUTHORISED
    assert "s3cret" not in str(error)


def test_messages_of_an_incident_are_one_thread():
    """Each message has its own id, the same however often it is sent, and all refer to one."""
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
def test_a_mistake_in_the_mail_options_is_found_before_anything_starts(change):
    """Options that cannot work, or would send a password in clear, are a configuration error."""
    options = {key: value for key, value in {**options_of(SERVICES["email"]), **change}.items() if value is not None}
    with pytest.raises(ConfigError, match=r"^n"):
        registry.resolve("notifier", options, where="n")


def test_a_silent_mail_server_does_not_hold_up_the_lookup_of_names():
    """While many messages wait for a mail server that says nothing, names are still looked up for everybody else."""

    async def run() -> None:
        async with SERVICES["email"].running(*[Fault.IS_SILENT] * 40) as fake:
            notifier = build({**fake.options, "timeout": "120s"})
            waiting = [asyncio.create_task(notifier.notify(FIRING)) for _ in range(40)]
            await until(lambda: fake.attempts)
            await asyncio.wait_for(asyncio.get_running_loop().getaddrinfo("localhost", 80), 100)
            assert not any(each.done() for each in waiting)
        refused = await asyncio.gather(*waiting, return_exceptions=True)  # the server is gone now
        await notifier.close()
        assert {type(each) for each in refused} == {NotifierError}

    asyncio.run(run())


def test_one_refused_recipient_is_told():
    """That some got the message does not hide that another did not."""
    error, fake = refusal(SERVICES["email"], recipients=["on-call@example.org", "nobody@example.org"])
    assert error.reason is Reason.REJECTED
    assert len(fake.received) == 1


# --- names that lead where they should not


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254"])
def test_a_name_that_leads_to_a_link_local_address_is_refused(address, monkeypatch):
    """A message never reaches the place where clouds keep credentials because a name was pointed there."""
    lead_to(address, monkeypatch)
    with pytest.raises(NotifierError, match="allow_private_hosts") as caught:
        asyncio.run(send({"kind": "teams", "url": "http://hooks.example.org/x"}, FIRING))
    assert caught.value.reason is Reason.UNREACHABLE


@pytest.mark.parametrize("allowed", ["hooks.example.org", "HOOKS.example.org."])
def test_a_listed_name_may_lead_anywhere(allowed, monkeypatch):
    """What the operator lists is meant."""
    lead_to("169.254.169.254", monkeypatch)

    async def run() -> list[Any]:
        return await transport.GuardedResolver([allowed]).resolve("hooks.example.org", 80)

    assert [each["host"] for each in asyncio.run(run())] == ["169.254.169.254"]


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "192.168.1.1", "::1", "fd00::1", "93.184.216.34"])
def test_loopback_and_private_addresses_are_not_refused(address):
    """Whoever writes a name of their own network into the configuration means it."""
    assert not transport.is_link_local(address)


def test_a_name_of_this_machine_is_reached():
    """A real name that leads to loopback works without being listed."""

    async def run() -> int:
        async with serving(reply(202)) as server:
            await send({"kind": "teams", "url": server.url("/x").replace("127.0.0.1", "localhost")}, FIRING)
            return len(server.requests)

    assert asyncio.run(run()) == 1


def lead_to(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every name lead to an address: the only part of the network that cannot be real here."""
    is_v6 = ":" in address
    family = socket.AF_INET6 if is_v6 else socket.AF_INET
    place = (address, unused_port(), 0, 0) if is_v6 else (address, unused_port())
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(family, socket.SOCK_STREAM, 6, "", place)])


def test_a_client_for_retrievers_resolves_as_ever():
    """Only what is asked to be wary is."""
    http_client = transport.open_client(timeout_s=1, connections=1)
    assert isinstance(http_client, httpx.AsyncClient)
    asyncio.run(http_client.aclose())
