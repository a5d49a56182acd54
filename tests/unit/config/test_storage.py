"""The URL of the database is checked before anything starts, and no part of it is ever printed."""

import pytest

from monitor.config.config import Config, validate
from monitor.errors import ConfigError

WRONG = {
    "postgresql://ada:se@cret@db/watch": "is ambiguous",
    "postgresql://ada:se/cret@db/watch": "has no valid host or port",
    "postgresql://ada:se#cret@db/watch": "has no valid host or port",
    "postgresql://ada:secret@db:port/watch": "has no valid host or port",
    "postgresql://ada:secret@db:99999/watch": "has no valid host or port",
    "mysql://ada:secret@db/watch": "must begin with postgresql://",
    "postgresql+asyncpg://ada:secret@db/watch": "must begin with postgresql://",
    "ada:secret@db/watch": "must begin with postgresql://",
    "secret": "must begin with postgresql://",
}


@pytest.mark.parametrize("url", WRONG)
def test_a_wrong_url_is_one_line_without_the_password(url):
    """Driver, port, an unencoded character and plain text are configuration errors that show nothing of the URL."""
    with pytest.raises(ConfigError) as refused:
        validate(Config, {"storage": {"url": url}}, where="")
    assert str(refused.value).startswith(f"storage.url: {WRONG[url]}")
    assert "secret" not in str(refused.value)
    assert "cret@" not in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:se%40cret@db:5432/watch",
        "postgres://ada@db/watch",
        "postgresql+psycopg://db/watch",
        "postgresql://ada:secret@/watch?host=/run/postgresql",
    ],
)
def test_a_url_of_postgresql_is_accepted(url):
    """Encoded passwords, sockets and the driver itself are fine."""
    assert validate(Config, {"storage": {"url": url}}, where="").storage.url == url
