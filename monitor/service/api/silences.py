"""Silences: those of the configuration, and those that people set and end."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

from fastapi import APIRouter

from monitor.config.routes import MatchOptions, check_zone
from monitor.config.section import validate
from monitor.errors import ConfigError
from monitor.model.access import Scope
from monitor.model.silences import Silence
from monitor.service.api.backend import Backend, TheBackend, TheCaller
from monitor.service.api.cursors import Cursor, Limit, Page, page_of
from monitor.service.api.pipeline import ApiRoute, needs
from monitor.service.api.problems import RefusedError
from monitor.service.api.shapes import (
    THE_CALLER,
    DailyBody,
    Ended,
    Id,
    PersonBody,
    SilenceBody,
    SilenceShape,
    silence_shape,
)

router = APIRouter(route_class=ApiRoute)


@router.get("/silences", **needs(Scope.READ))
async def silences(
    backend: TheBackend, ended: Ended = False, limit: Limit = 50, cursor: Cursor = None
) -> Page[SilenceShape]:
    """Silences of the configuration, which have no id, then those that people set, newest first."""
    configured = backend.checked().config.on_call.silences
    everything = [(f"configuration {number}", each) for number, each in enumerate(configured)]
    everything += [(each.silence_id, each) for each in await backend.store().silences(ended=ended)]

    async def first(count: int) -> list[tuple[str, Silence]]:
        return everything[:count]

    items, following = await page_of(first, lambda each: each[0], limit, cursor)
    return Page(items=[silence_shape(silence) for _, silence in items], next=following)


@router.get("/silences/{silence_id}", **needs(Scope.READ, 404))
async def silence(silence_id: Id, backend: TheBackend) -> SilenceShape:
    """One silence that a person set, also after its end."""
    return silence_shape(await _load(silence_id, backend))


@router.post("/silences", status_code=201, **needs(Scope.ADMIN, 404, 409))
async def add(body: SilenceBody, backend: TheBackend, caller: TheCaller) -> SilenceShape:
    """Hold matching alerts back: once, or daily. Incidents are recorded, and sent afterwards if they are still open."""
    now = backend.now()
    try:
        match = validate(MatchOptions, body.match.model_dump(exclude_none=True), where="match").to_match()
    except ConfigError as error:
        raise RefusedError(422, str(error)) from error
    daily = body.daily
    added = Silence(
        reason=body.reason,
        match=match,
        starts_at=body.starts_at,
        ends_at=body.ends_at,
        daily=daily.window if daily else None,
        zone=_zone(daily) if daily else "UTC",
        weekdays=tuple(daily.weekdays) if daily else (),
        silence_id=body.silence_id or f"silence_{uuid4().hex[:12]}",
        author=body.by or caller.name,
        created_at=now,
    )
    if any(each.silence_id == added.silence_id for each in await backend.store().silences(ended=True)):
        raise RefusedError(409, f"there is a silence {added.silence_id} already")
    if added.is_over(now):
        raise RefusedError(409, "the silence would hold nothing back: give an end after its start and now, or daily")
    await backend.store().save_silence(added)
    await backend.sign(caller, body.by, "silence.added", added.silence_id)
    return silence_shape(added)


@router.post("/silences/{silence_id}/end", **needs(Scope.ADMIN, 404, 409))
async def end(silence_id: Id, backend: TheBackend, caller: TheCaller, body: PersonBody = THE_CALLER) -> SilenceShape:
    """End a silence now; it stays on record."""
    loaded = await _load(silence_id, backend)
    if loaded.ended_at is not None:
        raise RefusedError(409, f"silence {silence_id} was ended by {loaded.ended_by}")
    ended = replace(loaded, ended_by=body.by or caller.name, ended_at=backend.now())
    await backend.store().save_silence(ended)
    await backend.sign(caller, body.by, "silence.ended", silence_id)
    return silence_shape(ended)


async def _load(silence_id: str, backend: Backend) -> Silence:
    stored = await backend.store().silences(ended=True)
    loaded = next((each for each in stored if each.silence_id == silence_id), None)
    if loaded is None:
        raise RefusedError(404, f"no silence {silence_id}")
    return loaded


def _zone(daily: DailyBody) -> str:
    try:
        return check_zone(daily.zone)
    except ValueError as error:
        raise RefusedError(404, str(error)) from error
