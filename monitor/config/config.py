"""The configuration: one YAML file, checked whole before anything starts.

``${NAME}`` in any text is the value of an environment variable; keys that end in ``_file`` name a file with a
secret. Each mistake is a `ConfigError` that names the key.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from socket import gethostname
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from monitor.config.access import AccessOptions
from monitor.config.limits import LimitOptions
from monitor.config.policies import PolicyOptions
from monitor.config.retention import Retention
from monitor.config.routes import RouteOptions, SilenceOptions, check_routes
from monitor.config.section import Duration as Duration
from monitor.config.section import Section as Section
from monitor.config.section import below
from monitor.config.section import validate as validate
from monitor.config.storage import Storage as Storage
from monitor.errors import ConfigError
from monitor.incidents.routing import Links, OnCall
from monitor.model.policies import Policy
from monitor.strict_yaml import read_yaml

VARIABLE = re.compile(r"\$\{(\w+)\}")


class Target(Section):
    """A live retriever, and optionally the generator that answers from its results."""

    retriever: dict[str, Any] = Field(repr=False)
    """``kind`` names the adapter; the other keys are the adapter's own."""
    answerer: dict[str, Any] | None = Field(default=None, repr=False)
    """Answers the queries that have a reference answer; ``kind`` names the adapter. Without it, only retrieval is
    monitored."""
    judge: dict[str, Any] | None = Field(default=None, repr=False)
    """Grades the answers, in addition to the scorers that need no model; ``kind`` names the adapter."""
    limits: LimitOptions = LimitOptions()
    """Rate limits and circuit breaker."""
    owner: str = ""
    """The team that owns the target; routes and silences can match it."""


class SuiteSource(Section):
    """A suite on disk."""

    path: str
    """A folder, or ``builtin:broad`` and ``builtin:compositional`` for the built-in suites."""


class Schedule(Section):
    """Suites replayed against a target at fixed times."""

    target: str
    """The target to probe, by its name in ``targets``."""
    suites: Annotated[tuple[str, ...], Field(min_length=1)]
    """Suites that are replayed and compared together, by their names in ``suites``."""
    every: Duration | None = None
    """Time from the start of one cycle to the start of the next, such as ``15m``; instead of ``cron``."""
    cron: str | None = None
    """Five fields; 0 and 7 are Sunday. If day of month and day of week are both restricted, either is enough.
    Or ``@hourly``, ``@daily``, ``@weekly``, ``@monthly``, ``@yearly``. Instead of ``every``."""
    timezone: str = "UTC"
    """The time zone of ``cron``, such as ``Europe/Berlin``. A time that clocks skip is due right after; a time that
    they repeat is due once, except in expressions for every hour or minute."""
    heartbeat_url: str | None = Field(default=None, repr=False)
    """Requested after each cycle with data (``/fail`` is added after one without), so that an outside service such as
    healthchecks.io notices when the daemon itself is gone."""
    policy: str = "default"
    """The rule from evidence to a verdict, by its name in ``policies``."""
    no_data_after: Duration | None = None
    """On-call is notified if no cycle has produced data for this long; by default two intervals and ten minutes."""

    @field_validator("suites")
    @classmethod
    def _names_each_once(cls, suites: tuple[str, ...]) -> tuple[str, ...]:
        for name, count in Counter(suites).items():
            if count > 1:
                raise ValueError(f"{name} is named twice; a cycle replays each suite once")
        return suites

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{name!r} is no time zone; write a name such as Europe/Berlin") from None
        return name

    @model_validator(mode="after")
    def _has_one_rhythm(self) -> Schedule:
        if (self.every is None) == (self.cron is None):
            raise ValueError("give either every or cron, and not both")
        return self


class Server(AccessOptions):
    """The HTTP server of the daemon."""

    host: str = "127.0.0.1"
    """Address to listen on; ``0.0.0.0`` is every address of the machine."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 9_464
    """Port to listen on; 0 lets the system choose a free one."""
    name: str = ""
    """The name of this installation, shared by its processes and kept over restarts; by default host and file."""
    drain_timeout: Duration = 20.0
    """After SIGTERM, running cycles may end within this time; then their slots are handed back."""
    public_url: str = ""
    """The address of this server for people, used in links of alerts; such as ``https://recallwatch.internal``. By
    default the address that it listens on, which opens on the same machine only, unless ``host`` is public."""
    dashboards_url: str = ""
    """The address of Grafana, used in links of alerts."""
    runbook_url: str = ""
    """The address of your own runbook, used in links of alerts; by default the one that this server has under
    ``/docs/runbooks``."""
    signing_key: str | None = Field(default=None, repr=False)
    """Signs the links that acknowledge an incident from e-mail and Teams; by ``${ENV}``. Without it there are none."""
    signing_key_file: Path | None = None
    """File with the signing key, instead of ``signing_key``."""
    token: str | None = Field(default=None, repr=False)
    """A bearer token with the scopes read and deploy; ``recallwatch token create`` makes others."""
    token_file: Path | None = None
    """File with the token, instead of ``token``."""

    @property
    def address(self) -> str:
        """The address for links: ``public_url``, else the address that the server listens on, if it is fixed."""
        if self.public_url or not self.port:
            return self.public_url
        host = gethostname() if self.host in ("0.0.0.0", "::", "") else self.host  # noqa: S104 - compared, not bound
        scheme = "https" if self.tls_certificate else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def secret(self) -> str | None:
        """The token, from ``token`` or ``token_file``."""
        return read_secret(self.token, self.token_file, where="server.token")


class Config(Section):
    """The whole configuration."""

    storage: Storage = Storage()
    """The database for runs, verdicts and alerts."""
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
    """Suites replayed against a target at fixed times, by name."""
    policies: dict[str, PolicyOptions] = Field(default={})
    """Rules that lead from evidence to a verdict, by name; ``default`` always exists."""
    notifiers: dict[str, dict[str, Any]] = Field(default={}, repr=False)
    """Receivers of alerts, by name. ``kind`` names the adapter; the other keys are the adapter's own."""
    routes: tuple[RouteOptions, ...] = ()
    """Which notifiers receive which alerts; without routes every notifier receives every alert."""
    silences: tuple[SilenceOptions, ...] = ()
    """Times without notifications; incidents are recorded, and sent afterwards if they are still open."""
    server: Server = Server()
    """The HTTP server for metrics, health and the status page."""
    retention: Retention = Retention()
    """How long rankings and answers are kept."""

    def policy(self, name: str) -> Policy:
        """A policy by name; ``default`` always exists. Raises ConfigError for an unknown name."""
        if name not in self.policies and name != "default":
            names = ", ".join(dict.fromkeys(("default", *self.policies)))
            raise ConfigError("policies", f'unknown policy "{name}"; known policies: {names}')
        return self.policies.get(name, PolicyOptions()).to_policy()

    @property
    def on_call(self) -> OnCall:
        """Routing of alerts: notifiers, routes, silences, owners and links."""
        server = self.server
        key = read_secret(server.signing_key, server.signing_key_file, where="server.signing_key") or ""
        links = Links(server.address, server.dashboards_url, server.runbook_url, key)
        return OnCall(
            notifiers=tuple(self.notifiers),
            routes=tuple(route.to_route() for route in self.routes),
            silences=tuple(silence.to_silence() for silence in self.silences),
            owners={name: target.owner for name, target in self.targets.items()},
            links=links,
        )


def read_config(path: Path, environment: Mapping[str, str] = os.environ) -> Config:
    """The configuration in a file. Raises ConfigError naming the key."""
    try:
        written = read_yaml(path, ConfigError)
    except OSError as error:
        problem = f"{error.strerror or error}; `recallwatch init` writes a configuration to start from"
        raise ConfigError(str(path), problem) from error
    try:
        filled = _fill(written, environment, "")
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
    for name in VARIABLE.findall(value):
        if name not in environment:
            raise ConfigError(where, f"environment variable {name} is not set")
    return VARIABLE.sub(lambda match: environment[match[1]], value)


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


def _refer(where: str, name: str, section: Mapping[str, Any], noun: str) -> None:
    plural = "policies" if noun == "policy" else f"{noun}s"
    if name not in section:
        names = ", ".join(section) or "none"
        raise ConfigError(where, f'unknown {noun} "{name}"; known {plural}: {names}')
