"""The database of the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from monitor.config.section import Duration, Section

_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")
_ENCODE = "a user or password with one of : / ? # @ % must be percent-encoded, such as %40 for @ and %25 for %"


class Storage(Section):
    """The database."""

    url: str | None = Field(default=None, repr=False)
    """PostgreSQL 14 or newer, as ``postgresql://user:${PASSWORD}@host/database``. Without it an embedded
    PostgreSQL runs in ``data_dir``."""
    data_dir: Path = Path("recallwatch-data")
    """Folder of the embedded PostgreSQL."""
    statement_timeout: Duration = 30.0
    """A statement that takes longer is cancelled, and a server that does not answer counts as unreachable."""
    lock_timeout: Duration = 10.0
    """The longest wait for a lock, or for a free connection."""
    pool_size: Annotated[int, Field(ge=2, le=500)] = 30
    """The largest number of connections of one process."""

    @field_validator("url")
    @classmethod
    def _is_postgresql(cls, url: str | None) -> str | None:
        if url is not None and (problem := problem_of(url)):
            raise ValueError(problem)
        return url


def problem_of(url: str) -> str:
    """The mistake in the URL of a database, without any part of the URL; empty for a valid one.

    >>> problem_of("postgresql://ada:secret@db.internal:5432/recallwatch")
    ''
    >>> problem_of("mysql://ada:secret@db.internal/recallwatch")
    'must begin with postgresql://'
    """
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in _SCHEMES:
        return "must begin with postgresql://"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return f"has no valid host or port; {_ENCODE}"
    if parts.fragment or parts.netloc.count("@") > 1 or (parts.username or "").count("@"):
        return f"is ambiguous; {_ENCODE}"
    return ""
