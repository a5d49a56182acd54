"""From a checked configuration to adapters, plans and an open store."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from monitor.adapters import registry
from monitor.adapters.registry import AdapterSpec
from monitor.config.config import Config, read_config
from monitor.errors import ConfigError
from monitor.evaluation.scoring import depth_of
from monitor.model.policies import Policy
from monitor.model.suites import Suite
from monitor.plan import Plan
from monitor.ports.store import Store
from monitor.ports.targets import Answerer, Judge, Retriever
from monitor.probing.allowance import Allowance
from monitor.probing.rate_limit import RateLimitedAnswerer, RateLimitedRetriever
from monitor.service.abandoned_runs import this_process
from monitor.suites.chains import with_gold_hops
from monitor.suites.locating import built_in_suites, suite_folder
from monitor.suites.reading import has_corpus, read_corpus, read_suite, suite_name
from monitor.world import World

_TITLE_CHARACTERS = 120
"""A document without a title is shown by this much of its text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedConfig:
    """A configuration whose every key was checked; nothing has been opened yet."""

    config: Config
    retrievers: Mapping[str, AdapterSpec]
    notifiers: Mapping[str, AdapterSpec]
    answerers: Mapping[str, AdapterSpec] = field(default_factory=dict)
    judges: Mapping[str, AdapterSpec] = field(default_factory=dict)
    source: str = ""
    """The file of the configuration."""

    @property
    def installation(self) -> str:
        """The name under which this configuration serves its schedules, also after a restart."""
        return self.config.server.name or f"{socket.gethostname()}:{self.source}"


@dataclass(frozen=True, slots=True)
class TargetClients:
    """The adapters of one target."""

    retriever: Retriever
    answerer: Answerer | None = None
    judge: Judge | None = None
    raw_retriever: Retriever | None = None
    """The retriever without rate limiting; used to read vectors."""

    async def close(self) -> None:
        """Close every connection."""
        for adapter in (self.retriever, self.answerer, self.judge):
            if adapter is not None:
                await adapter.close()


def load(path: Path) -> CheckedConfig:
    """Read and check a whole configuration. Raises ConfigError naming the key."""
    return replace(assemble(read_config(path)), source=str(path.resolve()))


def assemble(config: Config) -> CheckedConfig:
    """Check the options of adapters and the names of suites. Raises ConfigError naming the key."""
    _refuse_one_suite_twice((name, suite_name(suite_folder(source.path))) for name, source in config.suites.items())
    _ = config.server.secret  # a file that cannot be read is refused now, not at the first request
    for name, target in config.targets.items():
        if target.judge and not target.answerer:
            raise ConfigError(f"targets.{name}.judge", "has nothing to grade: the target has no answerer")
    return CheckedConfig(
        config=config,
        retrievers=_of_targets(config, "retriever"),
        notifiers={
            name: registry.resolve("notifier", options, where=f"notifiers.{name}")
            for name, options in config.notifiers.items()
        },
        answerers=_of_targets(config, "answerer"),
        judges=_of_targets(config, "judge"),
    )


def _of_targets(config: Config, port: str) -> dict[str, AdapterSpec]:
    options_by_target = {name: getattr(target, port) for name, target in config.targets.items()}
    return {
        name: registry.resolve(port, options, where=f"targets.{name}.{port}")
        for name, options in options_by_target.items()
        if options is not None
    }


def connect(checked: CheckedConfig, target: str) -> TargetClients:
    """The adapters of a target, ready for use."""
    answerer, judge = checked.answerers.get(target), checked.judges.get(target)
    raw_retriever = checked.retrievers[target].build()
    limits = checked.config.targets[target].limits
    retriever = RateLimitedRetriever(raw_retriever, limits.to_limits(), allowance=Allowance(limits.probes_per_day))
    return TargetClients(
        retriever,
        RateLimitedAnswerer(answerer.build(), retriever) if answerer else None,
        judge.build() if judge else None,
        raw_retriever,
    )


def plan_for(checked: CheckedConfig, target: str, suites: tuple[str, ...], policy: str = "default") -> Plan:
    """The plan of one cycle. Suites are names of the configuration, folders, or ``builtin:`` names."""
    require_target(checked, target)
    loaded = tuple(load_suite(checked.config, name) for name in suites)
    _refuse_one_suite_twice(zip(suites, (suite.name for suite in loaded), strict=True))
    for suite in loaded:
        if target not in checked.answerers and any(query.follows for query in suite.queries):
            problem = f"suite {suite.name} has queries that follow an answer; configure an answerer"
            raise ConfigError(f"targets.{target}.answerer", problem)
    limits = checked.config.targets[target].limits
    _refuse_deep_gates(target, checked.config.policy(policy), limits.max_k)
    return Plan(
        target=target,
        suites=loaded,
        policy=checked.config.policy(policy),
        policy_name=policy,
        probes_per_day=limits.probes_per_day,
        max_k=limits.max_k,
    )


def _refuse_deep_gates(target: str, policy: Policy, max_k: int | None) -> None:
    """Refuse a gating measure that needs more hits than the target returns: it would silently never page."""
    for name in (name for names in policy.gating.values() for name in names):
        if max_k is not None and depth_of([name]) > max_k:
            problem = (
                f"is {max_k}, and the policy gates on {name}; set policies.*.gating to measures within {max_k} hits"
            )
            raise ConfigError(f"targets.{target}.limits.max_k", problem)


def require_target(checked: CheckedConfig, target: str) -> None:
    """Raise ConfigError unless the configuration has a target of this name."""
    refuse_unknown_target(target, checked.retrievers)


def refuse_unknown_target(target: str, names: Collection[str]) -> None:
    """Raise ConfigError unless the target is known."""
    if target not in names:
        problem = f'unknown target "{target}"; known targets: {", ".join(names) or "none"}'
        raise ConfigError("targets", problem)


def world_of(checked: CheckedConfig, clients: TargetClients, store: Store) -> World:
    """The world of one cycle that a command runs."""
    return World(
        store=store,
        retriever=clients.retriever,
        on_call=checked.config.on_call,
        now=utc_now,
        owner=this_process(),
        answerer=clients.answerer,
        judge=clients.judge,
        raw_retriever=clients.raw_retriever,
        texts_of=partial(texts_of, checked.config),
        titles=partial(titles_of, checked.config),
    )


def _refuse_one_suite_twice(suites: Iterable[tuple[str, str]]) -> None:
    """Refuse two entries with the same suite name: runs, baselines and metrics are stored by that name."""
    sources: dict[str, str] = {}
    for source, name in suites:
        if name in sources:
            problem = f"{sources[name]} and {source} are both the suite {name}; remove one, or give it another name"
            raise ConfigError("suites", f"{problem} in its suite.yaml")
        sources[name] = source


def load_suite(config: Config, name: str) -> Suite:
    """A suite by its name in the configuration, its folder, or its ``builtin:`` name."""
    source = config.suites.get(name)
    return with_gold_hops(read_suite(suite_folder(source.path if source else name)))


def watched_suites(config: Config) -> dict[str, tuple[str, ...]]:
    """The suites of each schedule by their own names."""
    schedules = config.schedules.items()
    return {name: tuple(load_suite(config, suite).name for suite in schedule.suites) for name, schedule in schedules}


def texts_of(config: Config, suite: str) -> dict[str, str]:
    """The texts of the documents of a suite; empty if it has none, or is not in the configuration."""
    configured = [suite_folder(source.path) for source in config.suites.values()]
    for folder in (*configured, *built_in_suites()):
        if suite_name(folder) == suite and has_corpus(folder):
            return {each.doc_id: each.full_text for each in read_corpus(folder)}
    return {}


def titles_of(config: Config, suite: str, doc_ids: Collection[str]) -> dict[str, str]:
    """Title of each of these documents, or the beginning of its text; unknown documents are left out."""
    folders = (suite_folder(source.path) for source in config.suites.values())
    folder = next((each for each in folders if suite_name(each) == suite and has_corpus(each)), None)
    documents = read_corpus(folder) if folder else ()
    return {each.doc_id: each.title or each.text[:_TITLE_CHARACTERS] for each in documents if each.doc_id in doc_ids}


@asynccontextmanager
async def open_store(config: Config) -> AsyncIterator[Store]:
    """The store of a configuration, opened and closed."""
    from monitor.adapters.stores.embedded import EmbeddedPostgres
    from monitor.adapters.stores.postgres.connection import DatabaseLimits
    from monitor.adapters.stores.postgres.store import PostgresStore

    storage = config.storage
    limits = DatabaseLimits(storage.statement_timeout, storage.lock_timeout, storage.pool_size)
    store = PostgresStore(storage.url or EmbeddedPostgres(storage.data_dir), limits)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def migrate(config: Config, progress: Callable[[str, int, int], None] = lambda *_: None) -> None:
    """Bring the schema of the configured database up to date; ``progress`` follows the steps that move data."""
    from monitor.adapters.stores.embedded import EmbeddedPostgres
    from monitor.adapters.stores.postgres.connection import with_driver
    from monitor.adapters.stores.postgres.migration import Migrations

    storage = config.storage
    async with nullcontext(storage.url) if storage.url else EmbeddedPostgres(storage.data_dir) as url:
        await Migrations(with_driver(url)).apply(progress)


def utc_now() -> datetime:
    """The time, aware and in UTC."""
    return datetime.now(UTC)
