"""The HTTP API: who may do what, what is refused, pages, ETags, idempotency keys, gates."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from structlog.testing import capture_logs

from monitor.config.access import AccessOptions
from monitor.model.access import Scope
from monitor.model.alerts import Alert, AlertState
from monitor.model.deployments import Deployment
from monitor.model.gates import Gate, GateStatus
from monitor.model.incidents import Incident, IncidentStatus
from monitor.model.runs import RunStatus
from monitor.service.api.access import Limiter
from monitor.service.api.cursors import page_of
from monitor.service.api.middleware import MAX_BODY_BYTES
from monitor.testing.runs import a_run, a_suite
from monitor.testing.stores import save_finished_run
from tests.unit.service.api_client import CONFIG, NOW, Api, with_api

V7 = {"target": "docs", "name": "v7", "by": "ci", "detail": {"commit": "4f2c"}}
PROMOTION = {"run_id": "run-1", "reason": "reviewed"}
WRITES = [
    ("/deployments", V7, Scope.DEPLOY),
    ("/baselines", PROMOTION, Scope.ADMIN),
    ("/gate", {"target": "docs"}, Scope.RUN),
    ("/incidents/i1/acknowledge", None, Scope.ADMIN),
    ("/incidents/i1/dismiss", {"reason": "a test"}, Scope.ADMIN),
    ("/silences", {"reason": "a test", "ends_at": "2026-01-03T00:00:00Z"}, Scope.ADMIN),
    ("/silences/s1/end", None, Scope.ADMIN),
    ("/comparisons", {"baseline_run": "run-1", "candidate_run": "run-1"}, Scope.READ),
]


def contents(api: Api) -> str:
    """Everything in the store, besides when tokens were used."""
    store = api.store
    kept = (store.declared, store.promoted, store.incidents, store.gates, store.runs, store.entries, store.responses)
    return repr((kept, store.stored_silences))


def test_a_deployment_is_declared_by_the_caller():
    """The deployment is stored with the time of the server, and returned."""

    async def body(api: Api):
        response = await api.send("POST", "/deployments", V7, token=await api.token(Scope.DEPLOY))
        return response, api.store.declared

    response, declared = with_api(body)
    assert response.status_code == 201
    assert declared == [
        Deployment(target="docs", name="v7", declared_by="ci", declared_at=NOW, detail={"commit": "4f2c"})
    ]
    assert response.json()["name"] == "v7"


def test_the_configured_token_may_read_and_deploy_and_nothing_else():
    """A script that uses server.token keeps working."""

    async def body(api: Api):
        token = "Bearer a-token"
        return [
            (await api.send("GET", "/deployments", token=token)).status_code,
            (await api.send("POST", "/deployments", V7, token=token)).status_code,
            (await api.send("POST", "/baselines", PROMOTION, token=token)).status_code,
            (await api.send("GET", "/audit", token=token)).status_code,
        ]

    assert with_api(body) == [200, 201, 403, 403]


@pytest.mark.parametrize(("path", "content", "scope"), WRITES, ids=lambda each: str(each)[:30])
def test_each_write_needs_its_scope(path: str, content: Any, scope: Scope):
    """Without the scope the response names it, and nothing changes; admin includes every scope."""

    async def body(api: Api):
        others = [each for each in Scope if each not in (scope, Scope.ADMIN)]
        before = contents(api)
        refused = await api.send("POST", path, content, token=await api.token(*others[:1]))
        assert contents(api) == before
        allowed = await api.send("POST", path, content, token=await api.token(Scope.ADMIN))
        await api.backend.gates.stop()
        return refused, allowed

    refused, allowed = with_api(body)
    assert (refused.status_code, allowed.status_code != 403) == (403, True)
    assert str(scope) in refused.json()["detail"]
    assert refused.headers["content-type"] == "application/problem+json"


def test_a_thousand_unauthorised_requests_change_nothing():
    """No header, no token, a wrong token, a revoked one, an expired one: each is refused, and the store is the same."""

    async def body(api: Api):
        revoked, expired = await api.token(), await api.token(expires_in=timedelta(seconds=1))
        await api.store.revoke_token(revoked.split("_")[1], by="ada", at=NOW)
        api.now += timedelta(seconds=2)
        right = await api.token()
        wrong = right[:-1] + ("A" if right[-1] != "A" else "B")
        credentials = [
            "",
            "Bearer",
            "Bearer x",
            wrong,
            revoked,
            expired,
            "Basic a-token",
            right.replace("Bearer", "Token"),
        ]
        before, statuses = contents(api), set()
        for number in range(1_000):
            api.address = f"10.0.{number // 200}.{number % 200}"
            path, content, _ = WRITES[number % len(WRITES)]
            headers = {"authorization": credentials[number % len(credentials)]}
            response = await api.send("POST", path, content, headers=headers)
            statuses.add(response.status_code)
            assert "a-token" not in response.text
        assert contents(api) == before
        return statuses

    assert with_api(body) == {401}


def test_a_thousand_malformed_requests_change_nothing():
    """Random bytes, random JSON, wrong types and unknown keys are refused with a problem, and no 500 comes."""
    rng = np.random.default_rng(7)

    def content(number: int) -> Any:
        kind = number % 5
        if kind == 0:
            return rng.bytes(int(rng.integers(0, 200)))
        if kind == 1:
            return [None, 1, "text", [], [[]], {"a": {}}][number % 6]
        if kind == 2:
            return {**V7, "name": [["v7"], {}, 7, "", "x" * 201, "a\u0000b", None][number % 7]}
        if kind == 3:
            return {"target": "docs", "unknown": 1, "run_id": "run-1"}
        return {key: {"deep": [1, {"deeper": "\u0001"}]} for key in ("target", "name", "reason", "run_id")}

    async def body(api: Api):
        token, before, statuses = await api.token(), contents(api), set()
        for number in range(1_000):
            if number % 500 == 0:
                api.now += timedelta(minutes=2)
            path = WRITES[number % len(WRITES)][0]
            if path.endswith(("acknowledge", "end")):  # take a request without a body
                path = "/incidents/\x01/dismiss".replace("\x01", "%01")
            headers = {"content-type": "application/json"} if number % 3 else {}
            response = await api.send("POST", path, content(number), token=token, headers=headers)
            statuses.add(response.status_code)
            assert response.headers["content-type"] == "application/problem+json", response.text
        assert contents(api) == before
        return statuses

    assert with_api(body) <= {400, 404, 422}


def test_guessing_tokens_is_limited_and_logged():
    """After ten wrong tokens in a minute even the right one is refused unread; a minute later it works."""

    async def body(api: Api):
        right = await api.token()
        with capture_logs() as logs:
            statuses = [
                (await api.send("GET", "/runs", token=f"Bearer rw_x_{number}")).status_code
                for number in range(AccessOptions().wrong_tokens_per_minute + 3)
            ]
            locked = await api.send("GET", "/runs", token=right)
        elsewhere = api.address, "10.9.9.9"
        api.address = elsewhere[1]
        other = await api.send("GET", "/runs", token=right)
        api.address = elsewhere[0]
        api.now += timedelta(seconds=61)
        later = await api.send("GET", "/runs", token=right)
        return statuses, locked, other, later, logs

    statuses, locked, other, later, logs = with_api(body)
    assert statuses == [401] * AccessOptions().wrong_tokens_per_minute + [429] * 3
    assert (locked.status_code, locked.headers["retry-after"]) == (429, "60")
    assert (other.status_code, later.status_code) == (200, 200)
    events = [log["event"] for log in logs]
    assert events.count("token_refused") == AccessOptions().wrong_tokens_per_minute
    assert events.count("token_guessing_limited") == 4


def test_a_token_has_a_rate_limit():
    """The request after server.requests_per_minute is answered with 429 and the time to wait."""

    async def body(api: Api):
        token = await api.token()
        return [(await api.send("GET", "/audit/head", token=token)).status_code for _ in range(7)]

    config = {**CONFIG, "server": {"requests_per_minute": 5}}
    assert with_api(body, config=config) == [200] * 5 + [429] * 2


def test_a_limiter_forgets_after_a_minute_and_stays_small():
    """Events older than a minute count no more, and an address that came once does not stay for ever."""
    limiter = Limiter(2)
    for number in range(20_000):
        limiter.count(f"source {number}", NOW)
    assert len(limiter._times) <= 10_000
    limiter.count("a", NOW + timedelta(minutes=5))
    limiter.count("a", NOW + timedelta(minutes=5))
    assert limiter.wait_s("a", NOW + timedelta(minutes=5, seconds=20)) == 40
    assert limiter.wait_s("a", NOW + timedelta(minutes=6)) == 0
    assert list(limiter._times) == ["a"]


def test_a_large_body_is_refused():
    """A body beyond the limit is answered with 413, and nothing is declared."""

    async def body(api: Api):
        response = await api.send("POST", "/deployments", b" " * (MAX_BODY_BYTES + 1), token=await api.token())
        return response.status_code, api.store.declared

    assert with_api(body) == (413, [])


def test_every_response_has_security_headers_and_allows_no_other_origin():
    """Pages cannot be framed, types not sniffed, and no script of another origin reads a response."""

    async def body(api: Api):
        return await api.send("GET", "/runs", token=await api.token(), headers={"origin": "https://evil.example"})

    headers = with_api(body).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "default-src 'self'" in headers["content-security-policy"]
    assert not [name for name in headers if name.startswith("access-control-")]


SIGN_IN = {**CONFIG, "server": {"sign_in": {"proxies": ["10.0.0.1"], "scopes": ["read", "deploy"]}}}


def test_people_sign_in_at_a_named_proxy_only():
    """The header counts from the proxy; from any other address it is ignored, and so is a page of another site."""

    async def body(api: Api):
        user = {"x-forwarded-user": "ada@example.com"}
        stranger = await api.send("GET", "/runs", headers=user)
        api.address = "10.0.0.1"
        known = await api.send("POST", "/deployments", {"target": "docs", "name": "v7"}, headers=user)
        nameless = await api.send("GET", "/runs", headers={"x-forwarded-user": " "})
        forged = await api.send("POST", "/deployments", V7, headers=user | {"sec-fetch-site": "cross-site"})
        denied = await api.send("POST", "/baselines", PROMOTION, headers=user)
        statuses = [each.status_code for each in (stranger, known, nameless, forged, denied)]
        return statuses, [each.declared_by for each in api.store.declared]

    assert with_api(body, config=SIGN_IN) == ([401, 201, 401, 403, 403], ["ada@example.com"])


def test_a_token_is_stored_as_a_hash_with_its_last_use():
    """The store never holds the secret; the last use is kept, once a minute."""

    async def body(api: Api):
        token = await api.token()
        await api.send("GET", "/runs", token=token)
        first = next(iter(api.store.stored_tokens.values()))
        api.now += timedelta(seconds=30)
        await api.send("GET", "/runs", token=token)
        return token, first, next(iter(api.store.stored_tokens.values()))

    token, first, second = with_api(body)
    assert token.split("_", 2)[2] not in repr(first)
    assert first.last_used_at == second.last_used_at == NOW


def test_pages_hold_every_row_once_while_rows_are_added():
    """A cursor names the final row of its page: a deployment that is declared meanwhile shifts nothing."""

    async def body(api: Api):
        token = await api.token()

        async def declare(number: int) -> None:
            api.now += timedelta(seconds=1)
            await api.store.save_deployment(
                Deployment(target="docs", name=f"v{number}", declared_by="ci", declared_at=api.now)
            )

        for number in range(25):
            await declare(number)
        names, cursor = [], None
        while True:
            query = f"&cursor={cursor}" if cursor else ""
            page = (await api.send("GET", f"/deployments?limit=10{query}", token=token)).json()
            names += [each["name"] for each in page["items"]]
            await declare(100 + len(names))
            cursor = page["next"]
            if cursor is None:
                break
        bad = await api.send("GET", "/deployments?cursor=AAAA", token=token)
        return names, bad.status_code

    names, bad = with_api(body)
    assert names == [f"v{number}" for number in reversed(range(25))]
    assert bad == 404


def test_a_list_that_is_longer_than_pages_go_does_not_end_in_silence():
    """After the last row that pages reach, the next page is refused with advice; a shorter list ends with null."""

    async def pages_of(n_rows: int) -> tuple[int, Any]:
        async def fetch(count: int) -> range:
            return range(min(count, n_rows))

        cursor, n_read = None, 0
        while True:
            items, cursor = await page_of(fetch, lambda row: f"row {row}", 500, cursor)
            n_read += len(items)
            if cursor is None:
                return n_read, None
            if n_read >= 10_000:
                return n_read, await asyncio.gather(
                    page_of(fetch, lambda row: f"row {row}", 500, cursor), return_exceptions=True
                )

    assert asyncio.run(pages_of(9_999)) == (9_999, None)
    n_read, [refusal] = asyncio.run(pages_of(10_001))
    assert (n_read, refusal.status) == (10_000, 404)
    assert "pages end after 10,000 rows" in str(refusal)


def test_a_version_that_the_caller_has_is_not_sent_again():
    """The ETag of an unchanged answer gives 304 without a body; after a change it gives the new one."""

    async def body(api: Api):
        token = await api.token()
        first = await api.send("GET", "/deployments", token=token)
        known = {"if-none-match": first.headers["etag"]}
        same = await api.send("GET", "/deployments", token=token, headers=known)
        await api.send("POST", "/deployments", V7, token=token)
        changed = await api.send("GET", "/deployments", token=token, headers=known)
        return same, changed

    same, changed = with_api(body)
    assert (same.status_code, same.content) == (304, b"")
    assert (changed.status_code, len(changed.json()["items"])) == (200, 1)


def test_a_write_with_a_key_happens_once():
    """The same key and body give the first response again; another body is refused; a refused write frees the key."""

    async def body(api: Api):
        token, key = await api.token(), {"idempotency-key": "deploy-42"}
        refused = await api.send("POST", "/deployments", {**V7, "target": "nowhere"}, token=token, headers=key)
        first = await api.send("POST", "/deployments", V7, token=token, headers=key)
        again = await api.send("POST", "/deployments", V7, token=token, headers=key)
        other = await api.send("POST", "/deployments", {**V7, "name": "v8"}, token=token, headers=key)
        stranger = await api.send("POST", "/deployments", V7, token=await api.token(), headers=key)
        return [refused, first, again, other, stranger], len(api.store.declared)

    (refused, first, again, other, stranger), declared = with_api(body)
    assert [each.status_code for each in (refused, first, again, other, stranger)] == [404, 201, 201, 422, 201]
    assert first.text == again.text
    assert (again.headers["idempotency-replayed"], "idempotency-replayed" in first.headers) == ("true", False)
    assert declared == 2


def test_only_a_finished_run_becomes_a_baseline():
    """A finished run is promoted with the caller's name; a running one is a conflict, an unknown one is not found."""

    async def body(api: Api):
        token, suite = await api.token(), a_suite()
        await save_finished_run(api.store, suite)
        await api.store.start_run(a_run(suite, "run-2"))
        responses = [
            await api.send("POST", "/baselines", {"run_id": run_id, "reason": "reviewed"}, token=token)
            for run_id in ("run-1", "run-2", "run-3")
        ]
        history = await api.send("GET", "/baselines/history", token=token)
        return [each.status_code for each in responses], api.store.promoted, history.json()["items"]

    statuses, promoted, history = with_api(body)
    assert statuses == [201, 409, 404]
    assert [(each.run_id, each.promoted_by[:3], each.reason) for each in promoted] == [("run-1", "ci ", "reviewed")]
    assert history[0]["retired_at"] is None


NIGHTS = {
    "reason": "nightly rebuild",
    "match": {"target": ["docs"], "severity": ["/warn.*/"]},
    "daily": {"start": "22:00", "end": "06:00", "zone": "Europe/Berlin", "weekdays": ["sat", "sun"]},
}


def test_a_silence_is_added_listed_and_ended_with_author_and_reason():
    """It holds matching alerts back from the first moment, and an ended one stays on record with who ended it."""

    async def body(api: Api):
        token = await api.token()
        added = await api.send("POST", "/silences", {**NIGHTS, "by": "ada"}, token=token)
        silence_id = added.json()["silence_id"]
        active = (await api.send("GET", "/silences", token=token)).json()["items"]
        ended = await api.send("POST", f"/silences/{silence_id}/end", token=token)
        again = await api.send("POST", f"/silences/{silence_id}/end", {"by": "ada"}, token=token)
        listed = [
            (await api.send("GET", f"/silences{query}", token=token)).json()["items"] for query in ("", "?ended=true")
        ]
        stored = (await api.send("GET", f"/silences/{silence_id}", token=token)).json()
        return added, active, ended, again, listed, stored, api.store.entries

    added, active, ended, again, (present, past), stored, entries = with_api(body)
    assert (added.status_code, ended.status_code, again.status_code) == (201, 200, 409)
    assert active == [added.json()]
    assert (active[0]["author"], active[0]["reason"], active[0]["zone"]) == ("ada", "nightly rebuild", "Europe/Berlin")
    assert (active[0]["daily"], active[0]["weekdays"]) == (["22:00", "06:00"], ["sat", "sun"])
    assert (present, past) == ([], [stored])
    assert (stored["ended_by"][:4], stored["ended_at"]) == ("ci (", "2026-01-02T00:00:00Z")
    assert [(each.action, each.subject) for each in entries] == [("request.on_behalf", "ada")]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"daily": None}, 409),
        ({"daily": None, "ends_at": "2026-01-01T00:00:00Z"}, 409),
        ({"daily": None, "starts_at": "2026-01-05T00:00:00Z", "ends_at": "2026-01-04T00:00:00Z"}, 409),
        ({"daily": None, "ends_at": "2026-01-05T00:00:00"}, 422),
        ({"daily": {"start": "22:00", "end": "06:00", "zone": "Europe/Berlingen"}}, 404),
        ({"daily": {"start": "24:00", "end": "06:00"}}, 422),
        ({"daily": {"start": "22:00", "end": "06:00", "weekdays": ["caturday"]}}, 422),
        ({"match": {"target": ["/[/"]}}, 422),
        ({"match": {"planet": ["earth"]}}, 422),
        ({"reason": ""}, 422),
    ],
)
def test_a_silence_that_means_nothing_is_refused(change: dict[str, Any], status: int):
    """Without an end, over before it begins, in no time zone, on no day, for unknown labels: none is stored."""

    async def body(api: Api):
        response = await api.send("POST", "/silences", {**NIGHTS, **change}, token=await api.token())
        return response.status_code, api.store.stored_silences

    assert with_api(body) == (status, {})


def test_an_incident_that_is_changed_over_http_repeats_its_evidence():
    """The message about the acknowledgement has the facts of the first one, and names the person."""
    incident = Incident(
        incident_id="incident_1",
        dedup_key="k",
        target="docs",
        subject="docs",
        opened_at=NOW,
        status=IncidentStatus.OPEN,
        summary="Search got worse",
    )
    facts = {"lost_queries": [{"query_id": "q1"}], "summary": "Search got worse"}
    fired = Alert(
        alert_id="a1",
        incident_id="incident_1",
        dedup_key="k",
        state=AlertState.FIRING,
        payload={"data": facts},
        created_at=NOW,
        notifiers=(),
    )

    async def body(api: Api):
        assert await api.store.save_incident(incident, (fired,))
        token = await api.token()
        done = await api.send("POST", "/incidents/incident_1/acknowledge", {"by": "grace"}, token=token)
        again = await api.send("POST", "/incidents/incident_1/acknowledge", token=token)
        return done, again, await api.store.alerts_of("incident_1")

    done, again, alerts = with_api(body)
    assert (done.status_code, done.json()["acknowledged_by"], again.status_code) == (200, "grace", 409)
    assert again.json()["detail"] == "incident incident_1 is acknowledged: it cannot be acknowledged"
    assert alerts[-1].state is AlertState.ACKNOWLEDGED
    assert "q1" in repr(alerts[-1].payload)


def test_runs_are_read_with_their_outcomes_and_measures():
    """A run, its outcomes in pages and its measures agree with the store."""

    async def body(api: Api):
        token = await api.token()
        measured = await save_finished_run(api.store, a_suite())
        run = (await api.send("GET", "/runs/run-1", token=token)).json()
        page = (await api.send("GET", "/runs/run-1/outcomes?limit=5", token=token)).json()
        measures = (await api.send("GET", "/runs/run-1/measurements", token=token)).json()
        compared = await api.send(
            "POST", "/comparisons", {"baseline_run": "run-1", "candidate_run": "run-1"}, token=token
        )
        return measured, run, page, measures, compared

    measured, run, page, measures, compared = with_api(body)
    assert (run["status"], len(run["outcomes"]), len(page["items"])) == (RunStatus.FINISHED, 24, 5)
    assert measures["measures"]["recall@10"] == pytest.approx(measured.measurements["recall@10"].mean)
    assert (compared.status_code, compared.json()["verdict"]) == (200, "passed")


def test_a_gate_is_started_and_its_location_has_the_verdict():
    """202 with a location; the target cannot be reached, so that the gate finishes with exit code 3."""

    async def body(api: Api):
        token = await api.token()
        request = {"target": "docs", "suites": ["broad"], "timeout_s": 60}
        started = await api.send("POST", "/gate", request, token=token)
        await asyncio.gather(*api.backend.gates._tasks)
        location = started.headers["location"].removeprefix("/api/v1")
        return started, (await api.send("GET", location, token=token)).json()

    unreachable = {
        "retriever": {"kind": "http", "url": "http://127.0.0.1:9/search"},
        "limits": {"breaker_rest": "100ms"},
    }
    started, gate = with_api(body, config={**CONFIG, "targets": {"docs": unreachable}})
    assert (started.status_code, started.json()["status"]) == (202, "running")
    assert (gate["status"], gate["result"]["gate"], gate["result"]["exit_code"]) == ("finished", "invalid", 3)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"target": "nowhere"}, 'unknown target "nowhere"'),
        ({"policy": "strict"}, 'unknown policy "strict"'),
        ({"baseline": "nowhere"}, 'unknown target "nowhere"'),
        ({"candidates": ["http://169.254.169.254/latest"]}, "its host is not in server.candidate_hosts"),
        ({"candidates": ["http://docs.internal/search"]}, "its host is not in server.candidate_hosts"),
    ],
)
def test_a_gate_that_cannot_run_is_refused_at_once(change: dict[str, Any], problem: str):
    """Unknown names, and addresses that the configuration does not allow, start nothing."""

    async def body(api: Api):
        request = {"target": "docs", "suites": ["broad"], **change}
        token = await api.token()
        cost = await api.send("POST", "/gate/cost", request, token=token)
        return await api.send("POST", "/gate", request, token=token), cost, api.store.gates

    response, cost, gates = with_api(body)
    assert (response.status_code, cost.status_code, gates) == (404, 404, {})
    assert problem in response.json()["detail"]


def test_a_gate_whose_process_is_gone_has_failed():
    """After its time a gate that nobody finished is shown as failed, so that a pipeline does not wait for ever."""

    async def body(api: Api):
        gate = Gate(gate_id="g1", requested_by="ci", requested_at=NOW, request={"timeout_s": 60})
        await api.store.save_gate(gate)
        early = await api.backend.gates.load("g1")
        api.now += timedelta(minutes=3)
        late = await api.backend.gates.load("g1")
        return early, late

    early, late = with_api(body)
    assert (early.status, late.status) == (GateStatus.RUNNING, GateStatus.FAILED)


def test_a_daemon_that_stops_ends_its_gates():
    """A gate under way is stored as failed, with the reason."""

    async def body(api: Api):
        started = await api.send("POST", "/gate", {"target": "docs", "suites": ["broad"]}, token=await api.token())
        await api.backend.gates.stop()
        return await api.store.load_gate(started.json()["gate_id"])

    gate = with_api(body)
    assert gate.status is GateStatus.FAILED
    assert "stopped" in gate.result["problem"]


def test_the_document_is_openapi_3_1_and_names_tokens_and_problems():
    """Every operation has its refusals as problem details, and bearer tokens are declared."""

    async def body(api: Api):
        return (await api.send("GET", "/openapi.json")).json()

    document = with_api(body)
    assert document["openapi"].startswith("3.1")
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert len(operations) > 20
    for operation in operations:
        assert "application/problem+json" in operation["responses"]["401"]["content"]
    schemas = json.dumps(document["components"]["schemas"])
    assert '"items": [' not in schemas, "a tuple is written as before OpenAPI 3.1"
    assert '"prefixItems": [' in schemas
    for name, schema in document["components"]["schemas"].items():
        assert Draft202012Validator.check_schema(schema) is None, name


def test_a_path_with_a_line_break_is_a_problem_as_well():
    """No route matches it, and the answer is still a problem document."""

    async def body(api: Api):
        return await api.send("GET", "/gate/%0Ax", token=await api.token())

    response = with_api(body)
    assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")
