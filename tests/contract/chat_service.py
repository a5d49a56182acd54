"""Fake server of OpenAI chat completions; it rejects requests that break the published schema."""

import asyncio
import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from tests.contract.local_server import Answer, ReceivedRequest, raw, reply

KEY = "s3cret-key"
REQUEST = Draft202012Validator(
    json.loads((Path(__file__).parent / "schemas" / "openai_chat_completions.json").read_text(encoding="utf-8"))
)
USAGE = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}


def completion(content: str | None, *, finish: str = "stop", **message: Any) -> dict[str, Any]:
    """The body of a complete response."""
    assistant = {"role": "assistant", "content": content, "refusal": None, **message}
    return {**_head("chat.completion"), "choices": [_choice("message", assistant, finish)], "usage": USAGE}


def stream(*words: str, done: bool = True, finish: str = "stop") -> bytes:
    """The body of a streamed response as OpenAI sends it, with the usage in the final event."""
    chunks = [
        _choice("delta", {"role": "assistant", "content": ""}, None),
        *(_choice("delta", {"content": word}, None) for word in words),
        _choice("delta", {}, finish),
    ]
    payloads: list[dict[str, Any]] = [{**_head("chat.completion.chunk"), "choices": [chunk]} for chunk in chunks]
    payloads.append({**_head("chat.completion.chunk"), "choices": [], "usage": USAGE})
    events = [f"data: {json.dumps(payload)}\n\n" for payload in payloads] + ["data: [DONE]\n\n"] * done
    return "".join(events).encode()


def saying(body: dict[str, Any] | bytes) -> Answer:
    """Send this body for valid requests; 400, 401 or 404 for others, as the real server does."""

    async def answer(received: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        request = json.loads(received.body)
        violations = [error.message for error in REQUEST.iter_errors(request)]
        if received.method != "POST" or received.path != "/v1/chat/completions":
            await reply(404, _error("unknown_url"))(received, writer)
        elif received.headers.get("authorization") != f"Bearer {KEY}":
            await reply(401, _error("invalid_api_key"))(received, writer)
        elif violations or request.get("stream", False) != isinstance(body, bytes):
            await reply(400, _error(f"invalid_request_error {violations}"))(received, writer)
        else:
            await reply(200, body)(received, writer)

    return answer


def cut(body: bytes) -> Answer:
    """Send half of the announced body, then close the connection."""
    return raw(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body[: len(body) // 2])


def _head(kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": "m-2026-01-01", "system_fingerprint": "fp_1"}


def _choice(name: str, message: dict[str, Any], finish: str | None) -> dict[str, Any]:
    return {"index": 0, name: message, "logprobs": None, "finish_reason": finish}


def _error(code: str) -> dict[str, Any]:
    return {"error": {"message": code, "type": "invalid_request_error", "param": None, "code": code}}
