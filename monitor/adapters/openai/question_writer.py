"""Generate questions with a language model behind an OpenAI-compatible API; each reply is paid for once.

Replies are appended to a cache file before they are used, so that an interrupted run continues where it stopped.
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
    """Sends at most ``budget`` requests to the model; cached replies are free."""

    def __init__(self, url: str, model: str, key: str, *, budget: int, cache: Path, timeout_s: float = 60.0) -> None:
        self._api = JsonApi(
            url,
            timeout_s=timeout_s,
            connections=1,
            headers={"authorization": f"Bearer {key}"} if key else {},
            failure=AdapterError,
        )
        self._url, self._model, self._budget, self._cache = url, model, budget, cache
        self._replies = _read_cache(cache)
        self.n_requests = self.n_cached = 0

    async def write(self, instructions: str, passage: str) -> str | None:
        """Return the reply of the model, or None once the budget is spent."""
        request = {
            "model": self._model,
            "messages": [{"role": "system", "content": instructions}, {"role": "user", "content": passage}],
            "response_format": {"type": "json_object"},
            "temperature": 0,
        }
        key = hashlib.sha256(orjson.dumps([self._url, request])).hexdigest()
        if key in self._replies:
            self.n_cached += 1
            return self._replies[key]
        if self.n_requests >= self._budget:
            return None
        self.n_requests += 1
        self._replies[key] = reply = await self._send(request)
        self._append(key, reply)
        return reply

    async def close(self) -> None:
        """Close the connection."""
        await self._api.close()

    async def _send(self, request: object) -> str:
        response = await self._api.request_json("POST", "/chat/completions", request)
        try:
            return str(response["choices"][0]["message"]["content"])
        except (LookupError, TypeError) as error:
            detail = "the response has no text at choices[0].message.content"
            raise AdapterError(Reason.MALFORMED, detail) from error

    def _append(self, key: str, reply: str) -> None:
        try:
            with self._cache.open("ab") as file:
                file.write(orjson.dumps({"key": key, "said": reply}, option=orjson.OPT_APPEND_NEWLINE))
        except OSError as error:
            raise SuiteError(str(self._cache), error.strerror or str(error)) from error


def _read_cache(path: Path) -> dict[str, str]:
    """Read the cached replies. An incomplete final line, left by a killed run, is removed."""
    if not os.path.lexists(path):
        return {}
    try:
        content = path.read_bytes()
        if not content.endswith(b"\n"):
            with path.open("r+b") as file:
                file.truncate(content.rfind(b"\n") + 1)
    except OSError as error:
        raise SuiteError(str(path), error.strerror or str(error)) from error
    rows = read_lines(path)
    return {text_of(row.get("key"), "key", where): str(row.get("said") or "") for where, row in rows}
