"""Read values from JSON by JMESPath."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Annotated, Any

import jmespath
from pydantic import AfterValidator

from monitor.errors import AdapterError, Reason, RetrieverError


def check_path(path: str) -> str:
    """Return the path. Raises ValueError if it is not valid JMESPath."""
    try:
        jmespath.compile(path)
    except jmespath.exceptions.JMESPathError as error:
        raise ValueError(f"is not valid JMESPath: {str(error).splitlines()[0].rstrip(':')}") from error
    return path


JsonPath = Annotated[str, AfterValidator(check_path)]


def reader(path: str, failure: type[AdapterError] = RetrieverError) -> Callable[[Any], Any]:
    """Return a function that reads the path from a value."""
    expression = jmespath.compile(path)

    def find(value: Any) -> Any:
        try:
            return expression.search(value)
        except jmespath.exceptions.JMESPathError as error:
            raise failure(Reason.MALFORMED, f"the response does not fit the expression {path!r}") from error

    return find


def column(path: str) -> Callable[[list[Any]], list[Any]]:
    """Return a function that reads the path from each value of a list; plain keys need no Python loop."""
    find, get = reader(path), itemgetter(path)
    if not path.isidentifier():
        return lambda values: list(map(find, values))

    def read_all(values: list[Any]) -> list[Any]:
        try:
            return list(map(get, values))
        except (LookupError, TypeError):  # a value without this key
            return list(map(find, values))

    return read_all
