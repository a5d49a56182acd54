"""The configuration: one YAML file, checked whole before anything starts.

``${NAME}`` in any text is the value of an environment variable; keys that end in ``_file`` name a file that
holds a secret. Every mistake is a `ConfigError` that names the key.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Hashable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from monitor.errors import ComparisonError, ConfigError
from monitor.evaluation.retrieval import parse_measure
from monitor.evaluation.scoring import PAIR_MEASURES
from monitor.model import Axis
from monitor.verdict import Policy

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_VARIABLE = re.compile(r"\$\{(\w+)\}")


def parse_duration(value: Any) -> float:
    """Seconds in a duration such as ``30s``, ``15m``, ``1h`` or ``1d``."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    match = _DURATION.fullmatch(str(value).strip())
    if match is None:
        raise ValueError(f"{value!r} is not a duration; write for example 30s, 15m, 1h or 1d")
    return float(match[1]) * _UNITS_S[match[2]]


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
    Field(
        gt=0,
        le=366 * 86_400,
        allow_inf_nan=False,
        json_schema_extra={"type": ["number", "string"], "examples": ["30s", "15m", "1h"]},
    ),
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
    suites: Annotated[tuple[str, ...], Field(min_length=1)]
    every: Duration | None = None
    cron: str | None = None
    """Five fields, in UTC; 0 and 7 are Sunday."""
    policy: str = "default"

    @model_validator(mode="after")
    def _has_one_rhythm(self) -> Schedule:
        if (self.every is None) == (self.cron is None):
            raise ValueError("give either every or cron, and not both")
        return self


class PolicyOptions(Section):
    """The rule that leads from evidence to a verdict."""

    alpha_page: Probability = 0.01
    """Family-wise error of a page."""
    alpha_warn: Probability = 0.05
    floor_absolute: Ratio = 0.01
    """A drop must be at least this many points of the measure to page …"""
    floor_relative: Ratio = 0.02
    """… and at least this share of the baseline."""
    margin: Ratio = 0.05
    """Share of the baseline that may be lost while still calling a candidate safe."""
    coverage_floor: Ratio = 0.98
    """Below this share of queries that brought something back the verdict is ``invalid``."""
    min_clusters: Annotated[int, Field(ge=2)] = 12
    resamples: Annotated[int, Field(ge=999)] = 9_999
    gating: dict[Axis, tuple[MeasureName, ...]] = Field(default_factory=lambda: dict(Policy().gating))
    """Measures that can page, for each axis."""

    def to_policy(self) -> Policy:
        """The policy as the core knows it."""
        return Policy(**self.model_dump())


class Route(Section):
    """Which notifiers an alert goes to."""

    notifiers: Annotated[tuple[str, ...], Field(min_length=1)]


class Server(Section):
    """The HTTP server of the daemon."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 9_464


class Config(Section):
    """Everything recallwatch is told."""

    storage: Storage = Storage()
    targets: dict[str, Target] = {}
    suites: dict[str, SuiteSource] = {
        "broad": SuiteSource(path="builtin:broad"),
        "compositional": SuiteSource(path="builtin:compositional"),
    }
    schedules: dict[str, Schedule] = {}
    policies: dict[str, PolicyOptions] = {"default": PolicyOptions()}
    notifiers: dict[str, dict[str, Any]] = Field(default_factory=dict, repr=False)
    """``kind`` names the adapter; the other keys are the adapter's own."""
    routes: tuple[Route, ...] = ()
    server: Server = Server()

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
        stated = yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)  # noqa: S506 - a SafeLoader
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), f"not UTF-8 at byte {error.start + 1}") from error
    except OSError as error:
        raise ConfigError(
            str(path), f"{error.strerror or error}; `recallwatch init` writes a configuration to start from"
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{line}", f"not YAML: {getattr(error, 'problem', None) or error}") from error
    if not isinstance(stated, dict):
        raise ConfigError(str(path), "must be a mapping of keys to values")
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
        place = ".".join(filter(None, (where, *(str(part) for part in first["loc"]))))
        raise ConfigError(place or "configuration", _explain(kind, first)) from error


def read_secret(text: str | None, file: Path | None, *, where: str) -> str | None:
    """A secret that is given directly or by the name of a file."""
    if file is None:
        return text
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{where}_file", f"{file}: {error.strerror or error}") from error


def policy_to_dict(policy: Policy) -> dict[str, Any]:
    """The policy as plain values, for hashing and showing."""
    return asdict(policy)


class _StrictLoader(yaml.SafeLoader):
    """A safe loader that refuses a key given twice instead of keeping the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a text", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key} is given twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _fill(value: Any, environment: Mapping[str, str], where: str) -> Any:
    if isinstance(value, dict):
        return {key: _fill(each, environment, f"{where}.{key}".lstrip(".")) for key, each in value.items()}
    if isinstance(value, list):
        return [_fill(each, environment, f"{where}.{index}") for index, each in enumerate(value)]
    if not isinstance(value, str):
        return value
    for name in _VARIABLE.findall(value):
        if name not in environment:
            raise ConfigError(where, f"environment variable {name} is not set")
    return _VARIABLE.sub(lambda match: environment[match[1]], value)


def _explain(kind: type[Section], error: ErrorDetails) -> str:
    if error["type"] == "extra_forbidden":
        *parents, key = error["loc"]
        near = difflib.get_close_matches(str(key), _keys(kind, parents), 1)
        return "unknown key" + (f"; did you mean {near[0]}?" if near else "")
    if error["type"] == "missing":
        return "is missing"
    return error["msg"].removeprefix("Value error, ")


def _keys(kind: type[Section], parents: list[int | str]) -> list[str]:
    """The keys that the section at the end of the path knows."""
    known: Any = kind
    for part in parents:
        field = known.model_fields.get(str(part)) if isinstance(known, type) and issubclass(known, Section) else None
        known = field.annotation if field else next(iter(getattr(known, "__args__", (None,))[-1:]), None)
    return list(known.model_fields) if isinstance(known, type) and issubclass(known, Section) else []


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
