"""Targets, suites and policies of the configuration in force."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from fastapi import APIRouter

from monitor.decision.judgement import digest_of
from monitor.errors import ConfigError
from monitor.model.access import Scope
from monitor.model.suites import Suite
from monitor.service import wiring
from monitor.service.api.backend import TheBackend
from monitor.service.api.cursors import Page
from monitor.service.api.pipeline import ApiRoute, needs
from monitor.service.api.problems import RefusedError
from monitor.service.api.shapes import Id, Name, PolicyShape, ScheduleShape, SuiteShape, TargetShape
from monitor.service.policy_sentences import sentences_of

router = APIRouter(route_class=ApiRoute)


@router.get("/targets", **needs(Scope.READ))
async def targets(backend: TheBackend) -> Page[TargetShape]:
    """Targets of the configuration."""
    store, items = backend.store(), []
    for name, target in backend.checked().config.targets.items():
        verdict, deployments = await store.latest_verdict(name), await store.deployments(name, limit=1)
        items.append(
            TargetShape(
                name=name,
                kind=str(target.retriever["kind"]),
                owner=target.owner,
                has_answerer=target.answerer is not None,
                latest_verdict=str(verdict.name) if verdict else None,
                deployment=deployments[0].name if deployments else None,
            )
        )
    return Page(items=items)


@router.get("/suites", **needs(Scope.READ))
async def suites(backend: TheBackend) -> Page[SuiteShape]:
    """Suites of the configuration, as they are on disk now."""
    config = backend.checked().config
    loaded = await asyncio.to_thread(lambda: [(name, wiring.load_suite(config, name)) for name in config.suites])
    return Page(items=[_suite_shape(name, suite) for name, suite in loaded])


@router.get("/suites/{digest}", **needs(Scope.READ, 404))
async def suite(digest: Id, backend: TheBackend) -> Suite:
    """One stored version of a suite, with its queries and judgements."""
    return await backend.store().load_suite(digest)


@router.get("/schedules", **needs(Scope.READ))
async def schedules(backend: TheBackend) -> Page[ScheduleShape]:
    """Schedules of the configuration."""
    config = backend.checked().config
    watched = await asyncio.to_thread(wiring.watched_suites, config)
    return Page(
        items=[
            ScheduleShape(
                name=name,
                target=schedule.target,
                suites=list(watched[name]),
                policy=schedule.policy,
                every_s=schedule.every,
                cron=schedule.cron,
            )
            for name, schedule in config.schedules.items()
        ]
    )


@router.get("/policies", **needs(Scope.READ))
async def policies(backend: TheBackend) -> Page[PolicyShape]:
    """Policies of the configuration; ``default`` always exists."""
    names = dict.fromkeys(("default", *backend.checked().config.policies))
    return Page(items=[_policy_shape(name, backend) for name in names])


@router.get("/policies/{name}", **needs(Scope.READ, 404))
async def policy(name: Name, backend: TheBackend) -> PolicyShape:
    """One policy with the values in force, and in words."""
    try:
        return _policy_shape(name, backend)
    except ConfigError as error:
        raise RefusedError(404, error.problem) from error


def _suite_shape(name: str, loaded: Suite) -> SuiteShape:
    return SuiteShape(
        name=name,
        suite=loaded.name,
        version=loaded.version,
        digest=loaded.digest,
        axis=str(loaded.axis),
        queries=len(loaded.queries),
        strata=list(loaded.strata),
    )


def _policy_shape(name: str, backend: TheBackend) -> PolicyShape:
    values = backend.checked().config.policy(name)
    return PolicyShape(name=name, digest=digest_of(values), values=asdict(values), sentences=list(sentences_of(values)))
