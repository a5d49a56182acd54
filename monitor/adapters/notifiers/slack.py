"""Slack, in Block Kit: through an incoming webhook, or as a bot with ``chat.postMessage``."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from pathlib import Path
from typing import Any

import orjson
from pydantic import Field, SecretStr, model_validator

from monitor.adapters.http import transport
from monitor.adapters.notifiers.endpoint import Endpoint, EndpointOptions, bearer, check_address
from monitor.adapters.notifiers.message import Link, Message, Part, clip, fit, render
from monitor.adapters.secret import read_one
from monitor.errors import NotifierError, Reason
from monitor.model.alerts import Alert

_LONGEST_MESSAGE = 12_000
"""Slack documents 3,000 characters per text and 50 blocks, and rejects about 13,000 in all (`msg_blocks_too_long`)."""
_ICONS = {"firing": ":red_circle:", "reopened": ":red_circle:", "acknowledged": ":large_yellow_circle:"}
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}

_REASONS = {
    **dict.fromkeys(
        ("invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "no_permission",
         "missing_scope", "not_allowed_token_type", "access_denied"),
        Reason.UNAUTHORISED,
    ),
    **dict.fromkeys(("ratelimited", "rate_limited", "message_limit_exceeded"), Reason.RATE_LIMITED),
    **dict.fromkeys(("internal_error", "fatal_error", "service_unavailable", "request_timeout"), Reason.BROKEN),
}  # fmt: skip
"""Errors that Slack sends to a bot with status 200 and ``ok: false``."""


class SlackOptions(EndpointOptions):
    """A webhook, or a bot and its channel."""

    url: SecretStr | None = Field(default=None, repr=False)
    """An incoming webhook, instead of a bot. The URL is a secret: use ``${ENV}``."""
    url_file: Path | None = None
    """A file with the URL, instead of ``url``."""
    token: SecretStr | None = Field(default=None, repr=False)
    """Token of a bot (``xoxb-``) with ``chat:write``; by ``${ENV}``. Needs ``channel``."""
    token_file: Path | None = None
    """A file with the token, instead of ``token``."""
    channel: str | None = None
    """Where the bot posts: the id of a channel, such as ``C0123456789``."""
    api_url: transport.Url = "https://slack.com/api/chat.postMessage"
    """The API method with which the bot posts."""

    @model_validator(mode="after")
    def _is_webhook_or_bot(self) -> SlackOptions:
        if bool(bearer(self)) != bool(self.channel):
            raise ValueError("a bot needs both token (or token_file) and channel")
        if self.channel and (self.url or self.url_file):
            raise ValueError("give either url (a webhook) or token and channel (a bot)")
        self.address()
        return self

    def address(self) -> str:
        """Where to post."""
        return self.api_url if self.channel else check_address(read_one(self, "url"), "url")


class SlackNotifier:
    """Posts alerts to a channel."""

    Options = SlackOptions

    def __init__(self, options: SlackOptions) -> None:
        self._channel = options.channel
        self._endpoint = Endpoint(options.address(), options, bearer(options))

    async def notify(self, alert: Alert) -> None:
        """Post one alert; returns once Slack accepted it."""
        body = fit(render(alert), self._write, _LONGEST_MESSAGE)
        answer = await self._endpoint.post(body, answer_bytes=65_536 if self._channel else 0)
        if self._channel:
            _check_response(answer)

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoint.close()

    def _write(self, message: Message) -> str:
        body = {"text": escape(f"{message.title}: {message.text}", 1_200), "blocks": _blocks(message)}
        return orjson.dumps({**body, **({"channel": self._channel} if self._channel else {})}).decode()


def escape(text: str, limit: int) -> str:
    """The text with Slack's three reserved characters as entities, in at most ``limit`` characters, no entity split."""
    symbols = [_ENTITIES.get(character, character) for character in text]
    if sum(map(len, symbols)) <= limit:
        return "".join(symbols)
    n_fitting = bisect_right(list(accumulate(map(len, symbols))), limit - 1)
    return "".join(symbols[:n_fitting]) + "…"


def _blocks(message: Message) -> list[dict[str, Any]]:
    icon = ":large_green_circle:" if message.is_closed else _ICONS.get(message.state, "")
    title = {"type": "plain_text", "text": clip(f"{icon} {message.title}".strip(), 150), "emoji": True}
    fields = [_text(f"*{name}*\n{escape(value, 220)}") for name, value in message.facts.items()]
    command = message.command.replace("`", "'")
    return [
        {"type": "header", "text": title},
        *([{"type": "section", "text": _text(escape(message.text, 2_000))}] if message.text else []),
        *([{"type": "section", "fields": fields[:10]}] if fields else []),
        *(_section(part) for part in message.parts),
        *([{"type": "section", "text": _text(f"```{escape(command, 600)}```")}] if command else []),
        *([{"type": "actions", "elements": [_button(link) for link in message.links]}] if message.links else []),
    ]


def _section(part: Part) -> dict[str, Any]:
    lines = "\n".join(f"• {escape(line, 450)}" for line in part.lines)
    return {"type": "section", "text": _text(f"*{part.title}*\n{lines}")}


def _button(link: Link) -> dict[str, Any]:
    return {"type": "button", "text": {"type": "plain_text", "text": link.label}, "url": link.url}


def _text(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text}


def _check_response(content: bytes) -> None:
    """Raise NotifierError unless the response is ok; Slack sends status 200 to bots even with errors."""
    try:
        response = orjson.loads(content)
        is_ok, code = response["ok"], str(response.get("error", ""))
    except (ValueError, TypeError, KeyError, AttributeError):
        raise NotifierError(Reason.BROKEN, "Slack returned an unexpected response") from None
    if is_ok is not True:
        label = code if code.replace("_", "").isalpha() and len(code) <= 60 else "an unknown error"
        raise NotifierError(_REASONS.get(code, Reason.REJECTED), f"Slack returned {label}")
