"""A language model behind the API that OpenAI published, asked for questions; each answer is paid for once.

Every answer is appended to a cache file before it is used. A run that was broken off goes on from there.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import orjson

from monitor.adapters.http.json_api import JsonApi
from monitor.errors import AdapterError, Reason, SuiteError
from monitor.suites.lines import read_lines, text_of


class QuestionWriter:
    """Asks the model, at most ``budget`` times; what the cache holds costs nothing."""

    def __init__(self, url: str, model: str, key: str, *, budget: int, cache: Path, timeout_s: float = 60.0) -> None:
        self._api = JsonApi(
            url,
            timeout_s=timeout_s,
            connections=1,
            headers={"authorization": f"Bearer {key}"} if key else {},
            failure=AdapterError,
        )
        self._url, self._model, self._budget, self._cache = url, model, budget, cache
        self._known = _read_cache(cache)
        self.n_asked = self.n_cached = 0

    async def ask(self, instructions: str, passage: str) -> str | None:
        """What the model says; None once the budget is spent."""
        request = {
            "model": self._model,
            "messages": [{"role": "system", "content": instructions}, {"role": "user", "content": passage}],
            "response_format": {"type": "json_object"},
            "temperature": 0,
        }
        key = hashlib.sha256(orjson.dumps([self._url, request])).hexdigest()
        if key in self._known:
            self.n_cached += 1
            return self._known[key]
        if self.n_asked >= self._budget:
            return None
        self.n_asked += 1
        self._known[key] = said = await self._send(request)
        self._keep(key, said)
        return said

    async def close(self) -> None:
        """Give back the connection."""
        await self._api.close()

    async def _send(self, request: object) -> str:
        answer = await self._api.ask("POST", "/chat/completions", request)
        try:
            return str(answer["choices"][0]["message"]["content"])
        except (LookupError, TypeError) as error:
            told = "the answer has no text at choices[0].message.content"
            raise AdapterError(Reason.MALFORMED, told) from error

    def _keep(self, key: str, said: str) -> None:
        try:
            with self._cache.open("ab") as file:
                file.write(orjson.dumps({"key": key, "said": said}, option=orjson.OPT_APPEND_NEWLINE))
        except OSError as error:
            raise SuiteError(str(self._cache), error.strerror or str(error)) from error


def _read_cache(path: Path) -> dict[str, str]:
    """What was answered before. A last line without its end is what a killed run left; it is asked again."""
    if not os.path.lexists(path):
        return {}
    try:
        written = path.read_bytes()
        if not written.endswith(b"\n"):
            with path.open("r+b") as file:
                file.truncate(written.rfind(b"\n") + 1)
    except OSError as error:
        raise SuiteError(str(path), error.strerror or str(error)) from error
    rows = read_lines(path)
    return {text_of(row.get("key"), "key", where): str(row.get("said") or "") for where, row in rows}
