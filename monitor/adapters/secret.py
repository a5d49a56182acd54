"""Read secrets of adapters: from ``${ENV}`` in the configuration or from a file."""

from __future__ import annotations

from pydantic import BaseModel

from monitor.config.config import read_secret


def read_one(options: BaseModel, name: str) -> str:
    """Read a required secret from ``name`` or ``name_file``. Raises ValueError unless exactly one is set."""
    secret = read_optional(options, name)
    if secret is None:
        raise ValueError(f"set either {name} (as ${{ENV}}) or {name}_file")
    return secret


def read_optional(options: BaseModel, name: str) -> str | None:
    """Read the secret, or None if neither key is set. Raises ValueError if both are set or the secret is empty."""
    plain, file = getattr(options, name), getattr(options, f"{name}_file")
    if plain is not None and file is not None:
        raise ValueError(f"set either {name} (as ${{ENV}}) or {name}_file")
    secret = read_secret(None if plain is None else plain.get_secret_value(), file, where=name)
    if secret == "":
        raise ValueError(f"{name} is empty")
    return secret
