"""Client of OpenAI-compatible chat completions, for answerers and judges."""

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
    """Model, server and settings of the requests."""

    model: str
    """Name of the model on the server."""
    base_url: transport.Url = Field(default="https://api.openai.com/v1", repr=False)
    """Base URL of the API, without ``/chat/completions``."""
    api_key: SecretStr | None = Field(default=None, repr=False)
    """API key, sent as a bearer token; use ``${ENV}``."""
    api_key_file: Path | None = None
    """File with the API key, instead of ``api_key``."""
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    """Extra headers of every request; use ``${ENV}`` for secrets."""
    temperature: float | None = Field(default=0.0, ge=0, le=2)
    """Sampling temperature. 0 makes answers repeatable; null sends none, which some models require."""
    seed: int | None = None
    """Sampling seed, for servers that support one."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Maximum length of an answer, in tokens."""
    extra: dict[str, Any] = Field(default_factory=dict)
    """Extra fields of each request, for example ``reasoning_effort: low``."""
    timeout: Duration = 60.0
    """Time limit for a complete answer."""
    concurrency: int = Field(default=4, ge=1, le=1_000)
    """Maximum number of concurrent requests."""

    @model_validator(mode="after")
    def _has_at_most_one_key(self) -> ChatOptions:
        read_optional(self, "api_key")
        return self


@dataclass(frozen=True, slots=True)
class Completion:
    """The reply of a model."""

    text: str
    model: str | None
    fingerprint: str | None
    tokens: dict[str, int]


class Chat:
    """Sends messages to a model. Raises only ``failure``, with a reason."""

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

    async def complete(
        self, messages: list[dict[str, str]], *, stream: bool = False, extra: Mapping[str, Any] = MappingProxyType({})
    ) -> Completion:
        """Return the reply of the model. A refusal is a reply; a reply removed by a content filter is an error."""
        options = self._options
        settings = {"temperature": options.temperature, "seed": options.seed, "max_tokens": options.max_tokens}
        request = {
            "model": options.model,
            "messages": messages,
            **{key: value for key, value in settings.items() if value is not None},
            **extra,
            **options.extra,
        }
        if not stream:
            return self._to_completion([await self._api.request_json("POST", PATH, request)], "message")
        body = await self._api.request_bytes("POST", PATH, {**request, **_STREAMED})
        return self._to_completion(list(event_stream.read_events(body, self._failure, needs_end=True)), "delta")

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    def _to_completion(self, events: list[Any], part: str) -> Completion:
        try:
            choices = [choice for event in events for choice in event["choices"][:1]]
            messages = [choice[part] for choice in choices]
            texts = [each["content"] if each.get("content") is not None else each.get("refusal") for each in messages]
        except (LookupError, TypeError, AttributeError) as error:
            raise self._failure(Reason.MALFORMED, f"the response has no {part} at choices[0]") from error
        texts = [text for text in texts if text is not None]  # the first and last events of a stream have no text
        if not texts or not all(isinstance(text, str) for text in texts):
            raise self._failure(Reason.MALFORMED, f"the response has no {part} at choices[0]")
        if any(choice.get("finish_reason") == "content_filter" for choice in choices):
            raise self._failure(Reason.REJECTED, "the server's content filter removed the answer")
        return Completion("".join(texts), _last(events, "model"), _last(events, "system_fingerprint"), _tokens(events))


def _last(events: list[Any], key: str) -> str | None:
    values = [event[key] for event in events if isinstance(event.get(key), str)]
    return values[-1] if values else None


def _tokens(events: list[Any]) -> dict[str, int]:
    usages = [event["usage"] for event in events if isinstance(event.get("usage"), dict)]
    usage = usages[-1] if usages else {}
    counts = {"prompt": usage.get("prompt_tokens"), "completion": usage.get("completion_tokens")}
    return {key: value for key, value in counts.items() if isinstance(value, int)}
