"""Finding values in an answer by JMESPath."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Annotated, Any

import jmespath
from pydantic import AfterValidator

from monitor.errors import AdapterError, Reason, RetrieverError


def check_path(path: str) -> str:
    """The path, if it is JMESPath. Raises ValueError if not."""
    try:
        jmespath.compile(path)
    except jmespath.exceptions.JMESPathError as error:
        raise ValueError(f"not JMESPath: {str(error).splitlines()[0].rstrip(':')}") from error
    return path


JsonPath = Annotated[str, AfterValidator(check_path)]


def reader(path: str, failure: type[AdapterError] = RetrieverError) -> Callable[[Any], Any]:
    """What finds the path in a value."""
    expression = jmespath.compile(path)

    def read(value: Any) -> Any:
        try:
            return expression.search(value)
        except jmespath.exceptions.JMESPathError as error:
            raise failure(Reason.MALFORMED, f"the answer does not suit the expression {path!r}") from error

    return read


def column(path: str) -> Callable[[list[Any]], list[Any]]:
    """What finds the path in each of many values; plain keys, the common case, without a loop in Python."""
    read, get = reader(path), itemgetter(path)
    if not path.isidentifier():
        return lambda values: list(map(read, values))

    def read_all(values: list[Any]) -> list[Any]:
        try:
            return list(map(get, values))
        except (LookupError, TypeError):  # some value has no such key
            return list(map(read, values))

    return read_all
