"""YAML files that people write: a mapping, no key twice, every mistake told in one line with file and line."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any, ClassVar

import yaml

from monitor.errors import ConfigError, SuiteError


class StrictLoader(yaml.SafeLoader):
    """A safe loader that refuses a key given twice instead of keeping the last."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value; what its own tag does not allow, such as the date 2026-13-01, is refused with its place."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError) as error:
            raise _refusal(f"not a value: {error}", node) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping, once its keys are known to differ."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise _refusal("a key must be a text", key_node)
            if key in seen:
                raise _refusal(f"{key} is given twice", key_node)
            seen.add(key)
        return super().construct_mapping(node, deep)


class TextLoader(StrictLoader):
    """A strict loader that takes every value as it is written: version 1.10 is not 1.1."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}  # type: ignore[misc]  # the stubs say it is of the instance


def read_yaml(
    path: Path, error: type[ConfigError] | type[SuiteError], loader: type[StrictLoader] = StrictLoader
) -> dict[Any, Any]:
    """The mapping in a file. Raises the given error naming file and line, or OSError."""
    text = _decode(path, error)
    try:
        stated = yaml.load(text, Loader=loader)  # noqa: S506 - a SafeLoader
    except yaml.reader.ReaderError as unreadable:
        line = text.count("\n", 0, unreadable.position) + 1
        raise error(f"{path}:{line}", f"not YAML: {unreadable.reason}") from unreadable
    except yaml.MarkedYAMLError as mistake:
        line = mistake.problem_mark.line + 1 if mistake.problem_mark else 1
        raise error(f"{path}:{line}", f"not YAML: {mistake.problem}") from mistake
    except RecursionError:
        raise error(str(path), "is nested too deeply") from None
    if not isinstance(stated, dict):
        raise error(str(path), "must be a mapping of keys to values")
    return stated


def _decode(path: Path, error: type[ConfigError] | type[SuiteError]) -> str:
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as broken:
        line_start = raw.rfind(b"\n", 0, broken.start) + 1
        line = raw.count(b"\n", 0, line_start) + 1
        raise error(f"{path}:{line}", f"not UTF-8 at byte {broken.start - line_start + 1}") from broken


def _refusal(problem: str, node: yaml.Node) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
