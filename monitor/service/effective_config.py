"""The effective configuration for people to read: keys as written, defaults for the rest, secrets masked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin
from urllib.parse import urlsplit, urlunsplit

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from monitor.adapters import registry
from monitor.config.config import VARIABLE, Config
from monitor.errors import ConfigError
from monitor.service import wiring
from monitor.strict_yaml import read_yaml

MASK = "***"
"""Shown in place of a secret."""

_PORTS = {"retriever": "retriever", "answerer": "answerer", "judge": "judge", "embedder": "embedder"}
"""Key of a section that configures an adapter → its port."""
_SECRET_KEY = re.compile(
    r"(token|secret|password|passwd|api_?key|access_?key|authorization|credentials?)$", re.IGNORECASE
)
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def effective_config(path: Path) -> dict[str, Any]:
    """Every key of a configuration with its effective value. Raises ConfigError if the configuration is wrong.

    Masked are: each part of a value that came from ``${ENV}``, each secret of an adapter, credentials and query
    strings in URLs, values of headers, and values of keys that are named like a secret. The contents of files named
    by ``*_file`` are never read into it.
    """
    wiring.load(path)
    sections = _section(Config, _mask_variables(read_yaml(path, ConfigError)))
    default = {"default": _section(_model_in(Config.model_fields["policies"]), {})}
    sections["policies"] = default | sections["policies"]
    return sections


def _section(model: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a section in the order of its model."""
    section = {}
    for name, field in model.model_fields.items():
        key = field.alias or name
        section[key] = _value(key, field, values[key]) if key in values else _default(field)
    return section


def _value(key: str, field: FieldInfo, value: Any) -> Any:
    if key in _PORTS and isinstance(value, Mapping):
        return _adapter(_PORTS[key], value)
    if key == "notifiers" and isinstance(value, Mapping):
        return {name: _adapter("notifier", options) for name, options in value.items()}
    model = _model_in(field)
    if model is not None and isinstance(value, Mapping):
        is_by_name = get_origin(field.annotation) is dict
        return {name: _section(model, each) for name, each in value.items()} if is_by_name else _section(model, value)
    if model is not None and isinstance(value, list):
        return [_section(model, each) if isinstance(each, Mapping) else _plain(each) for each in value]
    return _plain(value) if field.repr and not _SECRET_KEY.search(key) else _secret(field, value)


def _adapter(port: str, options: Mapping[str, Any]) -> dict[str, Any]:
    kind = str(options["kind"])
    section = {"kind": kind, **_section(registry.find(port, kind, where=port).Options, options)}
    if port == "notifier" and isinstance(section.get("url"), str):
        section["url"] = _without_path(section["url"])  # webhooks of chat tools carry their secret in the path
    return section


def _default(field: FieldInfo) -> Any:
    default = field.get_default(call_default_factory=True)
    if isinstance(default, BaseModel):
        return _section(type(default), default.model_dump(mode="json", by_alias=True, exclude_unset=True))
    return to_jsonable_python(default, by_alias=True, fallback=str)


def _model_in(field: FieldInfo) -> Any:
    """The section inside an annotation such as ``dict[str, Section]`` or ``Section | None``."""
    return _first_model(field.annotation)


def _first_model(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _first_model(part))), None)


def _secret(field: FieldInfo, value: Any) -> Any:
    """The value of a field that may hold a secret. Of an address the host remains, of a mapping the keys."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        return dict.fromkeys(value, MASK)
    if field.annotation is str or field.annotation == str | None or "Url" in repr(field):
        return _plain(value) if _URL.match(str(value)) else MASK
    return MASK


def _plain(value: Any) -> Any:
    """A value without a secret, except in an address or under a key that is named like a secret."""
    if isinstance(value, Mapping):
        return {key: MASK if _SECRET_KEY.search(str(key)) else _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, str):
        return _without_credentials(value) if _URL.match(value) else value
    return to_jsonable_python(value, fallback=str)


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    user = f"{user.partition(':')[0]}:{MASK}" if ":" in user else (MASK if at else "")
    query = "&".join(f"{pair.partition('=')[0]}={MASK}" for pair in parts.query.split("&")) if parts.query else ""
    return urlunsplit(parts._replace(netloc=f"{user}{at}{host}", query=query))


def _without_path(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{MASK}" if parts.path.strip("/") else parts.path))


def _mask_variables(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _mask_variables(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_mask_variables(each) for each in value]
    return VARIABLE.sub(MASK, value) if isinstance(value, str) else value
