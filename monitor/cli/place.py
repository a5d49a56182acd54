"""Where a command reads and decides: in the database of a configuration, or at a daemon with ``--server``."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from monitor.cli.terminal import DEFAULT_CONFIG, ConfigPath
from monitor.errors import ConfigError

TOKEN_VARIABLE = "RECALLWATCH_TOKEN"  # noqa: S105 - the name of a variable
Server = Annotated[
    str | None,
    typer.Option("--server", metavar="URL", help="Read and decide at this daemon, instead of in the database."),
]
TokenFile = Annotated[
    Path | None,
    typer.Option("--token-file", metavar="FILE", help=f"The token for --server; by default {TOKEN_VARIABLE}."),
]


@dataclass(frozen=True, slots=True)
class Place:
    """The database of a configuration, or the daemon at an address."""

    config: Path = DEFAULT_CONFIG
    server: str | None = None
    token_file: Path | None = None

    @property
    def token(self) -> str:
        """The token for the daemon; empty without one. Raises ConfigError if its file cannot be read."""
        if self.token_file is None:
            return os.environ.get(TOKEN_VARIABLE, "")
        try:
            return self.token_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError("--token-file", f"{self.token_file}: {error.strerror or error}") from error


HERE = Place()
_OPTIONS = {"config": (ConfigPath, DEFAULT_CONFIG), "server": (Server, None), "token_file": (TokenFile, None)}


def with_place(command: Callable[..., None]) -> Callable[..., None]:
    """A command with a parameter ``place`` as one with the options that name it; any other command as it is."""
    signature = inspect.signature(command, eval_str=True)
    if "place" not in signature.parameters:
        return command

    def run(**values: Any) -> None:
        place = Place(**{name: values.pop(name) for name in _OPTIONS})
        command(place=place, **values)

    own = [each for name, each in signature.parameters.items() if name != "place"]
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in _OPTIONS.items()
    ]
    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own] + options
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    setattr(run, "__signature__", signature.replace(parameters=parameters))  # noqa: B010 - as typer reads it
    return run
