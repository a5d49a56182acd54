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
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from monitor import mistakes
from monitor.errors import ComparisonError, ConfigError
from monitor.evaluation.retrieval import parse_measure
from monitor.evaluation.scoring import PAIR_MEASURES
from monitor.model import Axis
from monitor.verdict import Policy
from monitor.yaml_file import read_yaml

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_LONGEST_S = 366 * _UNITS_S["d"]
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_VARIABLE = re.compile(r"\$\{(\w+)\}")


def parse_duration(value: Any) -> float:
    """Seconds in a duration such as ``30s``, ``15m``, ``1h`` or ``1d``."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    elif match := _DURATION.fullmatch(str(value).strip()):
        seconds = float(match[1]) * _UNITS_S[match[2]]
    else:
        raise ValueError(f"{value!r} is not a duration; write for example 30s, 15m, 1h or 1d")
    if not 0 < seconds <= _LONGEST_S:
        raise ValueError("must be longer than 0s and at most 366d")
    return seconds


def _known_measure(value: str) -> str:
    if value not in PAIR_MEASURES:
        try:
            parse_measure(value)
        except ComparisonError as error:
            raise ValueError(str(error)) from error
    return value


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    Field(json_schema_extra={"type": ["number", "string"], "examples": ["30s", "15m", "1h"]}),
]
Ratio = Annotated[float, Field(ge=0, le=1)]
Probability = Annotated[float, Field(gt=0, lt=1)]
MeasureName = Annotated[str, BeforeValidator(_known_measure)]


class Section(BaseModel):
    """A part of the configuration; a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


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


class PolicyOptions(Section):
    """The rule that leads from evidence to a verdict."""

    alpha_page: Probability = 0.01
    """Family-wise error of a page: the adjusted p-value that a drop must not exceed."""
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
    min_clusters: Annotated[int, Field(ge=2)] = 12
    """A stratum with fewer independent clusters of queries is shown and not tested."""
    resamples: Annotated[int, Field(ge=999)] = 9_999
    """Random sign flips of each test; more make p-values finer and slower."""
    gating: dict[Axis, tuple[MeasureName, ...]] = dict(Policy().gating)
    """Measures that can page, for each axis."""

    def to_policy(self) -> Policy:
        """The policy as the core knows it."""
        return Policy(**self.model_dump())


class Route(Section):
    """Which notifiers an alert goes to."""

    notifiers: Annotated[tuple[str, ...], Field(min_length=1)]
    """Notifiers that are told, by their names in ``notifiers``."""


class Server(Section):
    """The HTTP server of the daemon."""

    host: str = "127.0.0.1"
    """Address to listen on; ``0.0.0.0`` is every address of the machine."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 9_464
    """Port to listen on; 0 lets the system choose a free one."""


class Config(Section):
    """Everything recallwatch is told."""

    storage: Storage = Storage()
    """Where runs, verdicts and alerts are kept."""
    targets: dict[str, Target] = {}
    """Live retrievers, by name."""
    suites: dict[str, SuiteSource] = {
        "broad": SuiteSource(path="builtin:broad"),
        "compositional": SuiteSource(path="builtin:compositional"),
    }
    """Probe suites, by name."""
    schedules: dict[str, Schedule] = {}
    """What is replayed when, by name."""
    policies: dict[str, PolicyOptions] = {}
    """Rules that lead from evidence to a verdict, by name; ``default`` always exists."""
    notifiers: dict[str, dict[str, Any]] = Field(default={}, repr=False)
    """What delivers alerts, by name. ``kind`` names the adapter; the other keys are the adapter's own."""
    routes: tuple[Route, ...] = ()
    """Which notifiers are told; without routes all of them."""
    server: Server = Server()
    """Where metrics, health and the page for people are served."""

    def policy(self, name: str) -> Policy:
        """A policy by name; ``default`` always exists."""
        return (self.policies.get(name) or PolicyOptions()).to_policy()

    @property
    def routed_notifiers(self) -> tuple[str, ...]:
        """Notifiers that alerts go to: all of them where no route is given."""
        routed = [name for route in self.routes for name in route.notifiers]
        return tuple(dict.fromkeys(routed or self.notifiers))


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


SectionType = TypeVar("SectionType", bound=Section)


def validate(kind: type[SectionType], stated: Any, *, where: str) -> SectionType:
    """The section, or a ConfigError that names its first wrong key below ``where``."""
    try:
        return kind.model_validate(stated)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = _below(where, mistakes.place_of(first)) or "configuration"
        raise ConfigError(place, mistakes.explain(kind, first)) from error
    except ConfigError as error:  # from a validator, which does not know what it stands below
        raise ConfigError(_below(where, error.where), error.problem) from error


def read_secret(text: str | None, file: Path | None, *, where: str) -> str | None:
    """A secret that is given directly or by the name of a file."""
    if file is None:
        return text
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{where}_file", f"{file}: {error.strerror or error}") from error


def _below(where: str, key: str) -> str:
    return ".".join(filter(None, (where, key)))


def _fill(value: Any, environment: Mapping[str, str], where: str) -> Any:
    if isinstance(value, dict):
        return {key: _fill(each, environment, _below(where, str(key))) for key, each in value.items()}
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
    for index, route in enumerate(config.routes):
        for notifier in route.notifiers:
            _refer(f"routes.{index}.notifiers", notifier, config.notifiers, "notifier")


def _refer(where: str, name: str, known: Mapping[str, Any], noun: str) -> None:
    if name not in known:
        listed = ", ".join(known) or "none"
        raise ConfigError(where, f"no {noun} is called {name}; there are: {listed}")
