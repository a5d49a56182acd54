"""Slack, in Block Kit: through an incoming webhook, or by a bot with ``chat.postMessage``."""

from __future__ import annotations

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
"""Slack documents 3,000 characters a text and 50 blocks, and refuses some 13,000 in all (`msg_blocks_too_long`)."""
_MARKS = {"firing": ":red_circle:", "reopened": ":red_circle:", "acknowledged": ":large_yellow_circle:"}
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
"""What a bot is told with status 200 and ``ok: false``."""


class SlackOptions(EndpointOptions):
    """Which webhook, or which bot and channel."""

    url: SecretStr | None = Field(default=None, repr=False)
    """An incoming webhook; by ``${ENV}``, for whoever knows it can post. Instead of a bot."""
    url_file: Path | None = None
    """A file with the URL, instead of ``url``."""
    token: SecretStr | None = Field(default=None, repr=False)
    """Token of a bot (``xoxb-``) with ``chat:write``; by ``${ENV}``. Needs ``channel``."""
    token_file: Path | None = None
    """A file with the token, instead of ``token``."""
    channel: str | None = None
    """Where the bot posts: the id of a channel, such as ``C0123456789``."""
    api_url: transport.Url = "https://slack.com/api/chat.postMessage"
    """Where the bot is asked to post."""

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
    """Posts an alert to a channel."""

    Options = SlackOptions

    def __init__(self, options: SlackOptions) -> None:
        self._channel = options.channel
        self._endpoint = Endpoint(options.address(), options, bearer(options))

    async def notify(self, alert: Alert) -> None:
        """Post one alert; returning means Slack took it."""
        body = fit(render(alert), self._write, _LONGEST_MESSAGE)
        answer = await self._endpoint.post(body, answer_bytes=65_536 if self._channel else 0)
        if self._channel:
            _refuse_unless_ok(answer)

    async def close(self) -> None:
        """Give back the connections."""
        await self._endpoint.close()

    def _write(self, message: Message) -> str:
        said = {"text": escape(f"{message.title}: {message.text}", 1_200), "blocks": _blocks(message)}
        return orjson.dumps({**said, **({"channel": self._channel} if self._channel else {})}).decode()


def escape(text: str, limit: int) -> str:
    """The text with Slack's three reserved characters as entities, in at most ``limit`` characters, none cut apart."""
    written = [_ENTITIES.get(character, character) for character in text]
    if sum(map(len, written)) <= limit:
        return "".join(written)
    left = limit - 1
    kept = []
    for each in written:
        left -= len(each)
        if left < 0:
            break
        kept.append(each)
    return "".join(kept) + "…"


def _blocks(message: Message) -> list[dict[str, Any]]:
    mark = ":large_green_circle:" if message.is_closed else _MARKS.get(message.state, "")
    title = {"type": "plain_text", "text": clip(f"{mark} {message.title}".strip(), 150), "emoji": True}
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


def _refuse_unless_ok(answer: bytes) -> None:
    """Slack answers a bot with 200 also when it refuses. Raises NotifierError then."""
    try:
        said = orjson.loads(answer)
        is_ok, code = said["ok"], str(said.get("error", ""))
    except (ValueError, TypeError, KeyError, AttributeError):
        raise NotifierError(Reason.BROKEN, "Slack's answer is not its JSON") from None
    if is_ok is not True:
        known = code if code.replace("_", "").isalpha() and len(code) <= 60 else "an unknown error"
        raise NotifierError(_REASONS.get(code, Reason.REJECTED), f"Slack says {known}")
