"""JSON values with their positions, so that errors name file, line and path."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson

from monitor.errors import SuiteError
from monitor.suites.lines import read_lines, text_of

Step = str | int
_BLANK = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


class Value:
    """A JSON value with its position, which is computed only for errors."""

    __slots__ = ("_locate", "_steps", "value")

    def __init__(self, value: Any, locate: Callable[[tuple[Step, ...]], str], steps: tuple[Step, ...] = ()) -> None:
        self.value = value
        self._locate = locate
        self._steps = steps

    @property
    def where(self) -> str:
        """File and line."""
        return self._locate(self._steps)

    @property
    def name(self) -> str:
        """The path within the file, such as `data[0].title`."""
        return "".join(map(_shown, self._steps)).removeprefix(".")

    def __getitem__(self, key: str) -> Value:
        """A member of an object; its value is None if missing."""
        return Value(self.object().get(key), self._locate, (*self._steps, key))

    @contextmanager
    def placing(self) -> Iterator[None]:
        """Add the position of this value to errors without one."""
        try:
            yield
        except SuiteError as error:
            if error.where:
                raise
            raise SuiteError(self.where, error.problem) from None

    def refusal(self, problem: str) -> SuiteError:
        """An error about this value."""
        return SuiteError(self.where, f"{self.name or 'the file'} {problem}")

    def object(self) -> dict[str, Any]:
        """The value, validated as an object."""
        if not isinstance(self.value, dict):
            raise self.refusal("is missing" if self.value is None else "must be an object")
        return self.value

    def items(self) -> list[Value]:
        """The elements of the value, validated as a list."""
        if not isinstance(self.value, list):
            raise self.refusal("is missing" if self.value is None else "must be a list")
        return [Value(item, self._locate, (*self._steps, index)) for index, item in enumerate(self.value)]

    def members(self) -> list[tuple[str, Value]]:
        """Keys and values of the value, validated as an object."""
        return [(key, self[key]) for key in self.object()]

    def text(self, *, may_be_empty: bool = False) -> str:
        """The value, validated as a string."""
        try:
            return text_of(self.value, "", "", may_be_empty=may_be_empty)
        except SuiteError as error:
            raise self.refusal(error.problem.strip()) from None

    def whole_number(self) -> int:
        """The value, validated as a whole number, 0 or more."""
        if type(self.value) is not int or self.value < 0:
            raise self.refusal("is missing" if self.value is None else "must be a whole number, 0 or more")
        return self.value

    def is_missing(self) -> bool:
        """Whether the value is missing or null."""
        return self.value is None


def read_json(path: Path) -> Value:
    """The value of a JSON file."""
    text = read_whole(path)
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise SuiteError(f"{path}:{error.lineno}", f"not JSON: {error.msg} at character {error.colno}") from error
    return Value(value, lambda steps: f"{path}:{_line_of(text, steps)}")


def read_rows(path: Path) -> Iterator[Value]:
    """The objects of a JSON Lines file, or of a JSON file that contains one list."""
    if opening(path, 1) == "[":
        yield from read_json(path).items()
    else:
        for where, row in read_lines(path):
            yield Value(row, lambda _, where=where: where)  # type: ignore[misc]  # the position of this row


def read_whole(path: Path) -> str:
    """The text of a file."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise SuiteError(str(path), error.strerror or str(error)) from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as broken:
        start = raw.rfind(b"\n", 0, broken.start) + 1
        where = f"{path}:{raw.count(bytes([10]), 0, start) + 1}"
        raise SuiteError(where, f"not UTF-8 at byte {broken.start - start + 1}") from broken


def opening(path: Path, size: int = 65_536) -> str:
    """The first characters of a file after white space; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(size + 4_096).decode("utf-8-sig", errors="ignore").lstrip()[:size]
    except OSError:
        return ""


def _shown(step: Step) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step if step.isprintable() else json.dumps(step)}"  # a line break must not split the error message


def _line_of(text: str, steps: tuple[Step, ...]) -> int:
    at = _skip_blank(text, 0)
    with suppress(RecursionError):  # if a value is nested too deeply, report the line of its parent
        for step in steps:
            at = _member(text, at, step)
    return text.count("\n", 0, at) + 1


def _member(text: str, start: int, member: Step) -> int:
    """The offset of a member of the object or list at `start`; `start` if it has no such member."""
    is_object = text[start] == "{"
    at, index = _skip_blank(text, start + 1), 0
    while text[at] not in "]}":
        step: Step = index
        if is_object:
            step, at = _DECODER.raw_decode(text, at)
            at = _skip_blank(text, _skip_blank(text, at) + 1)
        if step == member:
            return at
        at = _skip_blank(text, _DECODER.raw_decode(text, at)[1])
        if text[at] == ",":
            at = _skip_blank(text, at + 1)
        index += 1
    return start


def _skip_blank(text: str, at: int) -> int:
    blank = _BLANK.match(text, at)
    return blank.end() if blank else at
