"""The chat completions that OpenAI published and many servers speak, asked once; for answerers and judges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import Field, SecretStr, model_validator

from monitor.adapters.http import event_stream, transport
from monitor.adapters.http.json_api import JsonApi
from monitor.adapters.secret import read_optional
from monitor.config.config import Duration, Section
from monitor.errors import AdapterError, Reason

PATH = "/chat/completions"
_STREAMED = {"stream": True, "stream_options": {"include_usage": True}}


class ChatOptions(Section):
    """Which model is asked, where and how."""

    model: str
    """The model's name at the server."""
    base_url: transport.Url = Field(default="https://api.openai.com/v1", repr=False)
    """Where the API answers, without ``/chat/completions``."""
    api_key: SecretStr | None = Field(default=None, repr=False)
    """Sent as bearer token; by ``${ENV}``."""
    api_key_file: Path | None = None
    """A file with the key, instead of ``api_key``."""
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    """Sent with every request; secrets by ``${ENV}``."""
    temperature: float | None = Field(default=0.0, ge=0, le=2)
    """0 asks for the same answer each time; null leaves it to the server, which some models demand."""
    seed: int | None = None
    """Asks a server that knows seeds for the same answer each time."""
    max_tokens: int | None = Field(default=None, ge=1)
    """The longest answer, in tokens."""
    extra: dict[str, Any] = Field(default_factory=dict)
    """Sent besides in each request; ``reasoning_effort: low`` for example."""
    timeout: Duration = 60.0
    """For the whole of an answer."""
    concurrency: int = Field(default=4, ge=1, le=1_000)
    """Requests under way at once."""

    @model_validator(mode="after")
    def _has_at_most_one_key(self) -> ChatOptions:
        read_optional(self, "api_key")
        return self


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model said."""

    text: str
    model: str | None
    fingerprint: str | None
    tokens: dict[str, int]


class Chat:
    """Asks a model. Raises ``failure`` with a reason, and nothing else."""

    def __init__(self, options: ChatOptions, failure: type[AdapterError]) -> None:
        self._options, self._failure = options, failure
        key = read_optional(options, "api_key")
        self._api = JsonApi(
            options.base_url,
            timeout_s=options.timeout,
            connections=options.concurrency,
            headers={**({"authorization": f"Bearer {key}"} if key else {}), **options.headers},
            failure=failure,
        )

    async def say(
        self, messages: list[dict[str, str]], *, stream: bool = False, more: Mapping[str, Any] = MappingProxyType({})
    ) -> Completion:
        """What the model says to these messages. A refusal is what it says; a filtered answer is none."""
        options = self._options
        settings = {"temperature": options.temperature, "seed": options.seed, "max_tokens": options.max_tokens}
        request = {
            "model": options.model,
            "messages": messages,
            **{key: value for key, value in settings.items() if value is not None},
            **more,
            **options.extra,
        }
        if not stream:
            return self._read([await self._api.ask("POST", PATH, request)], "message")
        body = await self._api.fetch("POST", PATH, {**request, **_STREAMED})
        return self._read(list(event_stream.pieces(body, self._failure, needs_end=True)), "delta")

    async def close(self) -> None:
        """Give back the connections."""
        await self._api.close()

    def _read(self, pieces: list[Any], part: str) -> Completion:
        try:
            choices = [choice for piece in pieces for choice in piece["choices"][:1]]
            said = [choice[part] for choice in choices]
            texts = [each["content"] if each.get("content") is not None else each.get("refusal") for each in said]
        except (LookupError, TypeError, AttributeError) as error:
            raise self._failure(Reason.MALFORMED, f"the answer has no {part} at choices[0]") from error
        texts = [text for text in texts if text is not None]  # the first and last pieces of a stream hold none
        if not texts or not all(isinstance(text, str) for text in texts):
            raise self._failure(Reason.MALFORMED, f"the answer has no {part} at choices[0]")
        if any(choice.get("finish_reason") == "content_filter" for choice in choices):
            raise self._failure(Reason.REJECTED, "the answer was withheld by the server's content filter")
        return Completion("".join(texts), _last(pieces, "model"), _last(pieces, "system_fingerprint"), _tokens(pieces))


def _last(pieces: list[Any], key: str) -> str | None:
    found = [piece[key] for piece in pieces if isinstance(piece.get(key), str)]
    return found[-1] if found else None


def _tokens(pieces: list[Any]) -> dict[str, int]:
    told = [piece["usage"] for piece in pieces if isinstance(piece.get("usage"), dict)]
    usage = told[-1] if told else {}
    counted = {"prompt": usage.get("prompt_tokens"), "completion": usage.get("completion_tokens")}
    return {key: value for key, value in counted.items() if isinstance(value, int)}
