"""The audit log in a real database: written with what it records, never changed, and broken links are found."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from monitor.adapters.stores.postgres.store import PostgresStore
from monitor.errors import StoreError
from monitor.model.access import Scope, Token
from monitor.model.audit import AuditEntry, Head, verify
from monitor.model.deployments import Baseline, Deployment
from monitor.model.incidents import Incident, IncidentStatus
from monitor.model.silences import Silence
from monitor.testing.runs import NOW, a_suite
from monitor.testing.stores import save_finished_run
from tests.conftest import command

pytestmark = pytest.mark.slow


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[PostgresStore]:
    """A store, open until the block ends."""
    store = PostgresStore(url)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def with_store(url: str, body: Callable[[PostgresStore], Awaitable[Any]]) -> Any:
    """The result of a coroutine over an open store."""

    async def run() -> Any:
        async with opened(url) as store:
            return await body(store)

    return asyncio.run(run())


async def act(store: PostgresStore) -> None:
    """One of each thing that the log records, besides verdicts."""
    await save_finished_run(store, a_suite())
    await store.save_deployment(Deployment(target="docs", name="v2", declared_by="ci", declared_at=NOW))
    await store.promote(
        Baseline(
            target="docs", suite_name="broad", run_id="run-1", promoted_by="ada", reason="reviewed", promoted_at=NOW
        )
    )
    incident = Incident(
        incident_id="i1", dedup_key="k", target="docs", subject="docs", opened_at=NOW, status=IncidentStatus.OPEN
    )
    acknowledged = replace(
        incident, status=IncidentStatus.ACKNOWLEDGED, acknowledged_at=NOW, acknowledged_by="grace", revision=2
    )
    dismissed = replace(
        acknowledged, status=IncidentStatus.DISMISSED, dismissed_by="linus", reason="a load test (linus)", revision=3
    )
    for each in (incident, acknowledged, dismissed):
        assert await store.save_incident(each, ())
    await store.add_token(
        Token(token_id="t1", name="ci", hash="h", scopes=(Scope.RUN,), created_by="ada", created_at=NOW)
    )
    assert await store.revoke_token("t1", by="ada", at=NOW)
    silence = Silence(
        silence_id="silence_1",
        author="ada",
        reason="re-indexing",
        match={"target": ("docs",)},
        ends_at=NOW + timedelta(hours=2),
        created_at=NOW,
    )
    await store.save_silence(silence)
    await store.save_silence(replace(silence, ended_by="grace", ended_at=NOW))
    await store.record("ada", "configuration.loaded", "recallwatch.yaml", detail='{"digest": "abc"}')


async def all_entries(store: PostgresStore) -> list[AuditEntry]:
    """The whole log."""
    return [entry async for entry in store.all_audit_entries()]


def test_everything_that_people_do_is_recorded_with_who_and_why(postgres_url: str) -> None:
    """Suites, deployments, promotions, changes of incidents, tokens and silences are in the log, in their order."""

    async def body(store: PostgresStore) -> list[AuditEntry]:
        await act(store)
        return await all_entries(store)

    entries = with_store(postgres_url, body)
    assert [(entry.action, entry.actor, entry.subject) for entry in entries] == [
        ("suite.stored", "recallwatch", "sample"),
        ("deployment.declared", "ci", "docs"),
        ("baseline.promoted", "ada", "docs"),
        ("incident.acknowledged", "grace", "i1"),
        ("incident.dismissed", "linus", "i1"),
        ("token.created", "ada", "t1"),
        ("token.revoked", "ada", "t1"),
        ("silence.added", "ada", "silence_1"),
        ("silence.ended", "grace", "silence_1"),
        ("configuration.loaded", "ada", "recallwatch.yaml"),
    ]
    promotion = entries[2]
    assert (promotion.reason, json.loads(promotion.detail)) == ("reviewed", {"suite_name": "broad", "run_id": "run-1"})
    assert entries[4].reason == "a load test (linus)"
    assert entries[7].reason == "re-indexing"
    assert json.loads(entries[7].detail)["match"] == {"target": ["docs"]}
    assert "h" not in json.loads(entries[5].detail).values(), "the hash of a token is in the log"
    assert verify(entries).problem == ""


def test_an_action_that_fails_leaves_no_entry(postgres_url: str) -> None:
    """Entry and change are one transaction: a refused promotion is not in the log."""

    async def body(store: PostgresStore) -> list[AuditEntry]:
        with pytest.raises(StoreError):
            await store.promote(
                Baseline(target="docs", suite_name="broad", run_id="none", promoted_by="a", reason="", promoted_at=NOW)
            )
        return await all_entries(store)

    assert with_store(postgres_url, body) == []


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit SET actor = 'eve'", "DELETE FROM audit", "TRUNCATE audit", "DELETE FROM audit WHERE number = 3"],
)
@pytest.mark.parametrize("role", ["origin", "replica"])
def test_the_database_refuses_changes_of_an_entry(postgres_url: str, statement: str, role: str) -> None:
    """Not even the owner of the database updates or deletes an entry; a replicating session does not either."""
    with_store(postgres_url, act)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"SET session_replication_role = {role}")
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            connection.execute(statement)


COLUMNS = ("recorded_at", "actor", "action", "subject", "reason", "detail", "previous", "hash")


@pytest.mark.parametrize("column", COLUMNS)
def test_a_single_changed_byte_is_found(postgres_url: str, column: str) -> None:
    """Whoever switches the triggers off and changes one character of any column breaks the chain there."""
    head = with_store(postgres_url, _act_and_note)
    change = (
        "recorded_at + interval '1 microsecond'" if column == "recorded_at" else f"overlay({column} placing '~' from 1)"
    )
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE audit DISABLE TRIGGER ALL")
        statement = sql.SQL("UPDATE audit SET {column} = {change} WHERE number = 3")
        connection.execute(statement.format(column=sql.Identifier(column), change=sql.SQL(change)))
    entries = with_store(postgres_url, all_entries)
    assert "entry 3" in verify(entries).problem
    assert verify(entries, expected=head).problem


async def _act_and_note(store: PostgresStore) -> Head:
    await act(store)
    return await store.audit_head()


def test_a_cut_end_is_found_by_a_noted_head(postgres_url: str) -> None:
    """Without the last entries the chain still holds; the head in a log or metric shows that they are gone."""
    head = with_store(postgres_url, _act_and_note)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE audit DISABLE TRIGGER ALL")
        connection.execute("DELETE FROM audit WHERE number > 6")
    entries = with_store(postgres_url, all_entries)
    assert verify(entries).problem == ""
    assert "the log ends at entry 6" in verify(entries, expected=head).problem


def test_a_log_that_was_written_again_is_found_by_a_noted_head(postgres_url: str) -> None:
    """A chain that is whole by itself but holds other entries does not contain the noted head."""
    head = with_store(postgres_url, _act_and_note)
    other = with_store(postgres_url, lambda store: store.audit_head())
    assert other == head
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE audit DISABLE TRIGGER audit_whole")
        connection.execute("TRUNCATE audit")
        for number in range(head.number):
            connection.execute(
                "INSERT INTO audit (actor, action, subject, reason, detail) VALUES ('eve', 'a', %s, '', '{}')",
                (str(number),),
            )
    entries = with_store(postgres_url, all_entries)
    assert verify(entries).problem == ""
    assert "the log was rewritten" in verify(entries, expected=head).problem


def test_many_processes_append_to_one_chain(postgres_url: str) -> None:
    """Sixty concurrent writers give one unbroken chain, and a promotion beside them does not deadlock."""

    async def body(store: PostgresStore) -> list[AuditEntry]:
        await save_finished_run(store, a_suite())
        baselines = [
            Baseline(
                target=f"t{number % 3}",
                suite_name="broad",
                run_id="run-1",
                promoted_by="ada",
                reason="",
                promoted_at=NOW + timedelta(seconds=number),
            )
            for number in range(20)
        ]
        await asyncio.gather(
            *(store.record("ada", "test", str(number)) for number in range(40)),
            *(store.promote(baseline) for baseline in baselines[:3]),
        )
        return await all_entries(store)

    entries = with_store(postgres_url, body)
    assert len(entries) == 1 + 40 + 3
    assert verify(entries).problem == ""


def test_the_commands_verify_and_export_the_log(postgres_url: str, tmp_path: Path) -> None:
    """Verify prints the head and exits with 1 at a broken entry; the export holds every field of each entry."""
    (tmp_path / "recallwatch.yaml").write_text(f'storage: {{url: "{postgres_url}"}}\n')
    created = command("token", "create", "ci", "--scope", "run", "--by", "ada", "--expires", "90d", cwd=tmp_path)
    text = created.stdout.split()[-1]
    listed = command("token", "list", "--json", cwd=tmp_path).stdout
    assert json.loads(listed)["tokens"][0]["name"] == "ci"
    assert text.split("_")[2] not in listed
    token_id = json.loads(listed)["tokens"][0]["token_id"]
    command("token", "revoke", token_id, "--by", "ada", cwd=tmp_path)
    command("token", "revoke", token_id, "--by", "ada", cwd=tmp_path, check=3)
    whole = json.loads(command("audit", "verify", "--json", cwd=tmp_path).stdout)
    assert (whole["entries"], whole["problem"]) == (2, None)
    command("audit", "export", "audit.jsonl", cwd=tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [line["action"] for line in lines] == ["token.created", "token.revoked"]
    assert f"2:{lines[-1]['hash']}" == whole["head"]
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE audit DISABLE TRIGGER ALL")
        connection.execute("DELETE FROM audit WHERE number = 2")
    command("audit", "verify", cwd=tmp_path)
    cut = command("audit", "verify", "--head", whole["head"], cwd=tmp_path, check=1)
    assert "the log ends at entry 1" in cut.stdout
