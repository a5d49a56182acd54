"""A fake of a server that speaks OpenAI's chat completions: it takes only what the published rules allow."""

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
    """The body of an answer that comes at once."""
    said = {"role": "assistant", "content": content, "refusal": None, **message}
    return {**_head("chat.completion"), "choices": [_choice("message", said, finish)], "usage": USAGE}


def stream(*words: str, done: bool = True, finish: str = "stop") -> bytes:
    """The body of an answer that comes in pieces, as OpenAI sends them, usage in the last."""
    chunks = [
        _choice("delta", {"role": "assistant", "content": ""}, None),
        *(_choice("delta", {"content": word}, None) for word in words),
        _choice("delta", {}, finish),
    ]
    told: list[dict[str, Any]] = [{**_head("chat.completion.chunk"), "choices": [chunk]} for chunk in chunks]
    told.append({**_head("chat.completion.chunk"), "choices": [], "usage": USAGE})
    events = [f"data: {json.dumps(each)}\n\n" for each in told] + ["data: [DONE]\n\n"] * done
    return "".join(events).encode()


def saying(body: dict[str, Any] | bytes) -> Answer:
    """Answer so to whoever asks as the rules say; 400 or 401 to anybody else, as the real one does."""

    async def answer(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        request = json.loads(asked.body)
        wrong = [error.message for error in REQUEST.iter_errors(request)]
        if asked.method != "POST" or asked.path != "/v1/chat/completions":
            await reply(404, _error("unknown_url"))(asked, writer)
        elif asked.headers.get("authorization") != f"Bearer {KEY}":
            await reply(401, _error("invalid_api_key"))(asked, writer)
        elif wrong or request.get("stream", False) != isinstance(body, bytes):
            await reply(400, _error(f"invalid_request_error {wrong}"))(asked, writer)
        else:
            await reply(200, body)(asked, writer)

    return answer


def cut(body: bytes) -> Answer:
    """Answer with half of what was announced, and hang up."""
    return raw(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body[: len(body) // 2])


def _head(kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": "m-2026-01-01", "system_fingerprint": "fp_1"}


def _choice(name: str, said: dict[str, Any], finish: str | None) -> dict[str, Any]:
    return {"index": 0, name: said, "logprobs": None, "finish_reason": finish}


def _error(code: str) -> dict[str, Any]:
    return {"error": {"message": code, "type": "invalid_request_error", "param": None, "code": code}}
