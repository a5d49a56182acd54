"""Strict reading of YAML files: a mapping without duplicate keys, and one-line errors with file and line."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any, ClassVar

import yaml

from monitor.errors import ConfigError, SuiteError

MOST_VALUES = 1_000_000
"""Values of a file with its aliases expanded. A few hundred bytes of nested aliases can expand to billions."""


class StrictLoader(yaml.SafeLoader):
    """A safe loader that rejects duplicate keys instead of using the final one, and aliases that expand without end."""

    def get_single_node(self) -> yaml.Node | None:
        """The only document. Raises an error with its place if its aliases expand to more than `MOST_VALUES`."""
        node: yaml.Node | None = super().get_single_node()
        if node is not None:
            _expanded_size(node, {}, frozenset())
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value. Raises an error with its place if its tag does not allow it, such as the date 2026-13-01."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError) as error:
            raise _refusal(f"not a value: {error}", node) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping. Raises an error with its place for a key that is duplicated or not hashable."""
        keys: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise _refusal("a key must be text", key_node)
            if key in keys:
                raise _refusal(f"duplicate key {key!r}", key_node)
            keys.add(key)
        return super().construct_mapping(node, deep)


class TextLoader(StrictLoader):
    """A strict loader that reads every value as text: version 1.10 is not 1.1."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}  # type: ignore[misc]  # the stubs say it is of the instance


def read_yaml(
    path: Path, error: type[ConfigError] | type[SuiteError], loader: type[StrictLoader] = StrictLoader
) -> dict[Any, Any]:
    """The mapping in a file. Raises ``error`` with file and line, or OSError."""
    text = _decode(path, error)
    try:
        content = yaml.load(text, Loader=loader)  # noqa: S506 - a SafeLoader
    except yaml.reader.ReaderError as unreadable:
        line = text.count("\n", 0, unreadable.position) + 1
        raise error(f"{path}:{line}", f"not YAML: {unreadable.reason}") from unreadable
    except yaml.MarkedYAMLError as mistake:
        line = mistake.problem_mark.line + 1 if mistake.problem_mark else 1
        raise error(f"{path}:{line}", f"not YAML: {mistake.problem}") from mistake
    except RecursionError:
        raise error(str(path), "is nested too deeply") from None
    if not isinstance(content, dict):
        raise error(str(path), "must be a mapping of keys to values")
    return content


def _decode(path: Path, error: type[ConfigError] | type[SuiteError]) -> str:
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as broken:
        line_start = raw.rfind(b"\n", 0, broken.start) + 1
        line = raw.count(b"\n", 0, line_start) + 1
        raise error(f"{path}:{line}", f"not UTF-8 at byte {broken.start - line_start + 1}") from broken


def _expanded_size(node: yaml.Node, sizes: dict[int, int], above: frozenset[int]) -> int:
    """The number of values of a node with its aliases expanded."""
    if id(node) in above:
        raise _refusal("an alias must not contain itself", node)
    if id(node) not in sizes:
        children = node.value if isinstance(node, yaml.CollectionNode) else []
        parts = [part for child in children for part in (child if isinstance(child, tuple) else (child,))]
        inside = above | {id(node)}
        sizes[id(node)] = 1 + sum(_expanded_size(part, sizes, inside) for part in parts)
        if sizes[id(node)] > MOST_VALUES:
            raise _refusal(f"its aliases expand to more than {MOST_VALUES:,} values", node)
    return sizes[id(node)]


def _refusal(problem: str, node: yaml.Node) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
