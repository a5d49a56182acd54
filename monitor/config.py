"""The configuration: one YAML file, checked whole before anything starts.

``${NAME}`` in any text is the value of an environment variable; keys that end in ``_file`` name a file that
holds a secret. Every mistake is a `ConfigError` that names the key.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_validator

from monitor.decision.routing import Links, OnCall
from monitor.errors import ComparisonError, ConfigError
from monitor.evaluation.retrieval import parse_measure
from monitor.evaluation.scoring import PAIR_MEASURES
from monitor.model import Axis
from monitor.section import Duration as Duration
from monitor.section import Probability, Ratio, below
from monitor.section import Section as Section
from monitor.section import validate as validate
from monitor.telling import RouteOptions, SilenceOptions, check_routes
from monitor.verdict import Policy, QueryText, Tolerance
from monitor.yaml_file import read_yaml

_VARIABLE = re.compile(r"\$\{(\w+)\}")


def _known_measure(value: str) -> str:
    if value not in PAIR_MEASURES:
        try:
            parse_measure(value)
        except ComparisonError as error:
            raise ValueError(str(error)) from error
    return value


MeasureName = Annotated[str, BeforeValidator(_known_measure)]


class Storage(Section):
    """Where everything is kept."""

    url: str | None = Field(default=None, repr=False)
    """PostgreSQL 14 or newer, as ``postgresql://user:${PASSWORD}@host/database``. Without it an embedded
    PostgreSQL runs in ``data_dir``."""
    data_dir: Path = Path("recallwatch-data")
    """Folder of the embedded PostgreSQL."""


class Target(Section):
    """A live retriever."""

    retriever: dict[str, Any] = Field(repr=False)
    """``kind`` names the adapter; the other keys are the adapter's own."""
    owner: str = ""
    """Who answers for it; routes and silences can ask for it."""


class SuiteSource(Section):
    """A suite on disk."""

    path: str
    """A folder, or ``builtin:broad`` and ``builtin:compositional`` for the suites that come along."""


class Schedule(Section):
    """What is replayed when."""

    target: str
    """The target that is asked, by its name in ``targets``."""
    suites: Annotated[tuple[str, ...], Field(min_length=1)]
    """Suites that are replayed and judged together, by their names in ``suites``."""
    every: Duration | None = None
    """Time from the start of one cycle to the start of the next, such as ``15m``; instead of ``cron``."""
    cron: str | None = None
    """Five fields, in UTC; 0 and 7 are Sunday. Where day of month and day of week are both given, either is
    enough, as in cron. Instead of ``every``."""
    policy: str = "default"
    """The rule that judges, by its name in ``policies``."""
    no_data_after: Duration | None = None
    """On-call is told if no cycle has brought data for this long; two intervals and ten minutes if left out."""

    @field_validator("suites")
    @classmethod
    def _names_each_once(cls, suites: tuple[str, ...]) -> tuple[str, ...]:
        for name, count in Counter(suites).items():
            if count > 1:
                raise ValueError(f"{name} is named twice; a cycle replays each suite once")
        return suites

    @model_validator(mode="after")
    def _has_one_rhythm(self) -> Schedule:
        if (self.every is None) == (self.cron is None):
            raise ValueError("give either every or cron, and not both")
        return self


class ToleranceOptions(Section):
    """Another margin or floor for a part of what is measured. What is left out matches everything."""

    axis: Axis | None = None
    """``broad`` or ``compositional``."""
    suite: str | None = None
    """A suite, by name."""
    stratum: str | None = None
    """A domain or phenomenon; ``overall`` is the whole suite."""
    measure: MeasureName | None = None
    """A measure such as ``ndcg@10``."""
    margin: Ratio | None = None
    """Instead of the policy's ``margin``."""
    floor_absolute: Ratio | None = None
    """Instead of the policy's ``floor_absolute``."""
    floor_relative: Ratio | None = None
    """Instead of the policy's ``floor_relative``."""


class PolicyOptions(Section):
    """The rule that leads from evidence to a verdict."""

    alpha_page: Probability = 0.01
    """Family-wise error of a page: the adjusted p-value that a drop must not exceed."""
    alpha_year: Probability = 0.05
    """Error of all pages of a year together: the n-th look at a change may spend 6/(π²n²) of it."""
    alpha_warn: Probability = 0.05
    """Error level of what does not page: a gain on the other axis, detectable effects, “no worse than the margin”."""
    floor_absolute: Ratio = 0.01
    """A drop must be at least this large to page, 0.01 being one point of the measure …"""
    floor_relative: Ratio = 0.02
    """… and at least this share of the baseline."""
    margin: Ratio = 0.05
    """Share of the baseline that may be lost while still calling a candidate safe."""
    coverage_floor: Ratio = 0.98
    """Below this share of queries that brought something back the verdict is ``invalid``."""
    label_floor: Ratio = 0.98
    """Below this share of the baseline's judgements that still hold, as far as the hits reveal it, the verdict is
    ``invalid``: the documents have changed under the judgements."""
    min_clusters: Annotated[int, Field(ge=2)] = 12
    """A stratum with fewer independent clusters of queries is shown and not tested."""
    resamples: Annotated[int, Field(ge=999)] = 9_999
    """Random sign flips of each test; more make p-values finer and slower."""
    replays: Annotated[int, Field(ge=24)] = 24
    """Replays that measure the noise floor of a target that does not always answer alike."""
    replayed_queries: Annotated[int, Field(ge=1)] = 500
    """Queries of each such replay, spread over the suite; more make small drops visible sooner."""
    gating: dict[Axis, tuple[MeasureName, ...]] = Field(default=dict(Policy().gating))
    """Measures that can page, for each axis."""

    tolerances: tuple[ToleranceOptions, ...] = ()
    """Exceptions from ``margin`` and the floors; of those that match, the last one that states a value counts."""
    confirm: Annotated[int, Field(ge=1)] = 1
    """Verdicts that page, in a row, before on-call is told; what is to be confirmed is probed again at once."""
    recover: Annotated[int, Field(ge=1)] = 2
    """Passed verdicts in a row before an incident resolves; results that equal the baseline's resolve it at once."""
    reopen_within: Duration = 86_400.0
    """A drop that comes back within this time, with the same deployment, reopens its incident."""
    critical_absolute: Ratio = 0.05
    """A drop of the whole broad axis by this much is ``critical``; what is less, and no trade-off, a ``warning`` …"""
    critical_relative: Ratio = 0.10
    """… and so is one by this share of the baseline."""
    query_text: QueryText = "show"
    """Whether alerts ``show`` the text of queries, give its ``hash``, or ``withhold`` it."""

    def to_policy(self) -> Policy:
        """The policy as the core knows it."""
        stated = self.model_dump() | {"tolerances": tuple(Tolerance(**each.model_dump()) for each in self.tolerances)}
        return Policy(**stated)


class Server(Section):
    """The HTTP server of the daemon."""

    host: str = "127.0.0.1"
    """Address to listen on; ``0.0.0.0`` is every address of the machine."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 9_464
    """Port to listen on; 0 lets the system choose a free one."""
    public_url: str = ""
    """Where people reach this server, for links in alerts; such as ``https://recallwatch.internal``."""
    dashboards_url: str = ""
    """Where Grafana answers, for links in alerts."""
    runbook_url: str = "docs/runbooks.md"
    """Where the runbook is, for links in alerts."""


class Config(Section):
    """Everything recallwatch is told."""

    storage: Storage = Storage()
    """Where runs, verdicts and alerts are kept."""
    targets: dict[str, Target] = Field(default={})
    """Live retrievers, by name."""
    suites: dict[str, SuiteSource] = Field(
        default={
            "broad": SuiteSource(path="builtin:broad"),
            "compositional": SuiteSource(path="builtin:compositional"),
        }
    )
    """Probe suites, by name."""
    schedules: dict[str, Schedule] = Field(default={})
    """What is replayed when, by name."""
    policies: dict[str, PolicyOptions] = Field(default={})
    """Rules that lead from evidence to a verdict, by name; ``default`` always exists."""
    notifiers: dict[str, dict[str, Any]] = Field(default={}, repr=False)
    """What delivers alerts, by name. ``kind`` names the adapter; the other keys are the adapter's own."""
    routes: tuple[RouteOptions, ...] = ()
    """Which notifiers are told of what; without routes all are told of everything."""
    silences: tuple[SilenceOptions, ...] = ()
    """When nobody is told; incidents are recorded all the same, and told afterwards if they still last."""
    server: Server = Server()
    """Where metrics, health and the page for people are served."""

    def policy(self, name: str) -> Policy:
        """A policy by name; ``default`` always exists. Raises ConfigError for any other that is not stated."""
        if name not in self.policies and name != "default":
            listed = ", ".join(dict.fromkeys(("default", *self.policies)))
            raise ConfigError("policies", f"no policy is called {name}; there are: {listed}")
        return self.policies.get(name, PolicyOptions()).to_policy()

    @property
    def on_call(self) -> OnCall:
        """Who is told, when not, and where to look."""
        links = Links(self.server.public_url, self.server.dashboards_url, self.server.runbook_url)
        return OnCall(
            tuple(self.notifiers),
            tuple(route.to_route() for route in self.routes),
            tuple(silence.to_silence() for silence in self.silences),
            {name: target.owner for name, target in self.targets.items()},
            links,
        )


def read_config(path: Path, environment: Mapping[str, str] = os.environ) -> Config:
    """The configuration in a file. Raises ConfigError naming the key."""
    try:
        stated = read_yaml(path, ConfigError)
    except OSError as error:
        told = f"{error.strerror or error}; `recallwatch init` writes a configuration to start from"
        raise ConfigError(str(path), told) from error
    try:
        filled = _fill(stated, environment, "")
    except RecursionError:
        raise ConfigError(str(path), "an alias contains itself") from None
    config = validate(Config, filled, where="")
    _check_references(config)
    return config


def read_secret(text: str | None, file: Path | None, *, where: str) -> str | None:
    """A secret that is given directly or by the name of a file."""
    if file is None:
        return text
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{where}_file", f"{file}: {error.strerror or error}") from error


def _fill(value: Any, environment: Mapping[str, str], where: str) -> Any:
    if isinstance(value, dict):
        return {key: _fill(each, environment, below(where, str(key))) for key, each in value.items()}
    if isinstance(value, list):
        return [_fill(each, environment, f"{where}.{index}") for index, each in enumerate(value)]
    if not isinstance(value, str):
        return value
    for name in _VARIABLE.findall(value):
        if name not in environment:
            raise ConfigError(where, f"environment variable {name} is not set")
    return _VARIABLE.sub(lambda match: environment[match[1]], value)


def _check_references(config: Config) -> None:
    for name, schedule in config.schedules.items():
        where = f"schedules.{name}"
        _refer(f"{where}.target", schedule.target, config.targets, "target")
        for suite in schedule.suites:
            _refer(f"{where}.suites", suite, config.suites, "suite")
        _refer(f"{where}.policy", schedule.policy, {"default": None, **config.policies}, "policy")
    check_routes(config.routes)
    for index, route in enumerate(config.routes):
        for notifier in route.notifiers:
            _refer(f"routes.{index}.notifiers", notifier, config.notifiers, "notifier")


def _refer(where: str, name: str, known: Mapping[str, Any], noun: str) -> None:
    if name not in known:
        listed = ", ".join(known) or "none"
        raise ConfigError(where, f"no {noun} is called {name}; there are: {listed}")
