"""Secrets of a notifier: each is given directly, by ``${ENV}``, or by the name of a file."""

from __future__ import annotations

from pydantic import BaseModel

from monitor.config.config import read_secret


def read_one(options: BaseModel, name: str) -> str:
    """What ``name`` or ``name_file`` holds. Raises ValueError unless exactly one of them is given, and not empty."""
    secret = read_optional(options, name)
    if secret is None:
        raise ValueError(f"give either {name} (as ${{ENV}}) or {name}_file")
    return secret


def read_optional(options: BaseModel, name: str) -> str | None:
    """What ``name`` or ``name_file`` holds; None if neither is given. Raises ValueError for both, or for nothing."""
    plain, file = getattr(options, name), getattr(options, f"{name}_file")
    if plain is not None and file is not None:
        raise ValueError(f"give either {name} (as ${{ENV}}) or {name}_file")
    secret = read_secret(None if plain is None else plain.get_secret_value(), file, where=name)
    if secret == "":
        raise ValueError(f"{name} is empty")
    return secret
