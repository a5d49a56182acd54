"""Slack, in Block Kit: through an incoming webhook, or as a bot with ``chat.postMessage``.

A bot edits the first message of an incident when its state changes, and reports each change in the thread of that
message. A webhook cannot edit: each change is a new message.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import orjson
from pydantic import Field, SecretStr, model_validator

from monitor.adapters.http import transport
from monitor.adapters.notifiers.endpoint import Endpoint, EndpointOptions, bearer, check_address
from monitor.adapters.notifiers.message import Link, Message, Part, acknowledge_command, fit, render
from monitor.adapters.notifiers.signature import check_signature
from monitor.adapters.notifiers.texts import clip
from monitor.adapters.secret import read_one, read_optional
from monitor.errors import NotifierError, Reason
from monitor.model.alerts import Acknowledgement, Alert

_LONGEST_MESSAGE = 12_000
"""Slack documents 3,000 characters per text and 50 blocks, and rejects about 13,000 in all (`msg_blocks_too_long`)."""
_ICONS = {
    **dict.fromkeys(("firing", "reopened", "reminder"), ":red_circle:"),
    "acknowledged": ":large_yellow_circle:",
}
ACKNOWLEDGE = "acknowledge"
"""The action of the button that acknowledges; its value is the incident's id."""
_OLDEST_REQUEST_S = 300
"""Slack's own limit against requests that are sent again by others."""
_GONE = {"message_not_found", "thread_not_found", "cant_update_message", "edit_window_closed"}
"""Errors for a first message that can no longer be edited."""
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
    """The API method with which the bot posts; it edits with ``chat.update`` at the same place."""
    signing_secret: SecretStr | None = Field(default=None, repr=False)
    """The app's signing secret, by ``${ENV}``. With it the messages have a button that acknowledges; the app's
    request URL for interactivity is ``/notifiers/NAME/events`` of this server."""
    signing_secret_file: Path | None = None
    """A file with the signing secret, instead of ``signing_secret``."""

    @model_validator(mode="after")
    def _is_webhook_or_bot(self) -> SlackOptions:
        if bool(bearer(self)) != bool(self.channel):
            raise ValueError("a bot needs both token (or token_file) and channel")
        if self.channel and (self.url or self.url_file):
            raise ValueError("give either url (a webhook) or token and channel (a bot)")
        if read_optional(self, "signing_secret") and not self.channel:
            raise ValueError("signing_secret needs a bot: token and channel")
        self.address()
        return self

    def address(self) -> str:
        """Where to post."""
        return self.api_url if self.channel else check_address(read_one(self, "url"), "url")

    def acknowledgement(self, headers: Mapping[str, str], body: bytes, at: datetime) -> Acknowledgement | None:
        """The pressed button in a request of Slack; None for any other. Raises NotifierError if it is not signed."""
        secret = read_optional(self, "signing_secret")
        if secret is None:
            raise NotifierError(Reason.UNAUTHORISED, "signing_secret is not configured")
        sent = headers.get("x-slack-request-timestamp", "")
        if not sent.isdigit() or abs(at.timestamp() - int(sent)) > _OLDEST_REQUEST_S:
            raise NotifierError(Reason.UNAUTHORISED, "the request is too old")
        signature = headers.get("x-slack-signature", "").removeprefix("v0=")
        check_signature(secret, b"v0:" + sent.encode() + b":" + body, [signature])
        try:
            payload = orjson.loads(parse_qs(body.decode())["payload"][0])
            action = next(each for each in payload["actions"] if each.get("action_id") == ACKNOWLEDGE)
            user = payload["user"]
            return Acknowledgement(str(action["value"]), str(user.get("name") or user.get("username") or user["id"]))
        except (KeyError, IndexError, ValueError, TypeError, StopIteration):
            return None


class SlackNotifier:
    """Posts alerts to a channel."""

    Options = SlackOptions

    def __init__(self, options: SlackOptions) -> None:
        self._channel = options.channel
        self._has_button = read_optional(options, "signing_secret") is not None
        self._endpoint = Endpoint(options.address(), options, bearer(options))
        update_url = f"{options.api_url.rpartition('/')[0]}/chat.update"
        self._update = Endpoint(update_url, options, bearer(options)) if options.channel else None

    async def notify(self, alert: Alert) -> str | None:
        """Post one alert; returns once Slack accepted it; with a bot, the timestamp of the message.

        A bot that posted an earlier message of the incident edits that one, and replies in its thread.
        """
        message = render(alert)
        if not self._channel or self._update is None:
            await self._endpoint.post(fit(message, lambda part: self._write(part, alert), _LONGEST_MESSAGE))
            return None
        if alert.receipt and await self._edit(alert, message):
            reply = {"text": escape(f"{_icon(message)} {message.title}", 1_200), "thread_ts": alert.receipt}
            await self._call(self._endpoint, orjson.dumps({"channel": self._channel, **reply}))
            return alert.receipt
        content = fit(message, lambda part: self._write(part, alert), _LONGEST_MESSAGE)
        return str((await self._call(self._endpoint, content)).get("ts") or "") or None

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoint.close()
        if self._update is not None:
            await self._update.close()

    async def _edit(self, alert: Alert, message: Message) -> bool:
        """Replace the first message. Returns False if it can no longer be edited."""
        content = fit(message, lambda part: self._write(part, alert, ts=alert.receipt), _LONGEST_MESSAGE)
        try:
            await self._call(self._update or self._endpoint, content)
        except NotifierError as error:
            if any(code in error.detail for code in _GONE):
                return False
            raise
        return True

    async def _call(self, endpoint: Endpoint, content: str | bytes) -> dict[str, Any]:
        return _check_response(await endpoint.post(content, answer_bytes=65_536))

    def _write(self, message: Message, alert: Alert, **fields: str) -> str:
        value = alert.incident_id if self._has_button else ""
        body = {"text": escape(f"{_icon(message)} {message.subject}", 1_200), "blocks": _blocks(message, value)}
        return orjson.dumps({**body, **({"channel": self._channel} if self._channel else {}), **fields}).decode()


def escape(text: str, limit: int) -> str:
    """The text with Slack's three reserved characters as entities, in at most ``limit`` characters, no entity split."""
    symbols = [_ENTITIES.get(character, character) for character in text]
    if sum(map(len, symbols)) <= limit:
        return "".join(symbols)
    n_fitting = bisect_right(list(accumulate(map(len, symbols))), limit - 1)
    return "".join(symbols[:n_fitting]) + "…"


def _blocks(message: Message, incident_id: str) -> list[dict[str, Any]]:
    title = {"type": "plain_text", "text": clip(f"{_icon(message)} {message.title}", 150), "emoji": True}
    context = " · ".join(filter(None, (message.severity, message.facts.get("Owner", ""), _serving(message))))
    command = "\n".join(filter(None, (message.command, acknowledge_command(message)))).replace("`", "'")
    buttons = [_button(link) for link in message.links if not (incident_id and link.label == "Acknowledge")]
    if incident_id and acknowledge_command(message):
        buttons.insert(0, {**_labelled("Acknowledge"), "action_id": ACKNOWLEDGE, "value": incident_id})
    return [
        {"type": "header", "text": title},
        *([{"type": "context", "elements": [_text(escape(context, 400))]}] if context else []),
        *([{"type": "section", "text": _text(escape(message.text, 2_000))}] if message.text else []),
        *(_section(part) for part in message.parts),
        *([{"type": "section", "text": _text(f"```{escape(command, 600)}```")}] if command else []),
        *([{"type": "actions", "elements": buttons}] if buttons else []),
    ]


def _icon(message: Message) -> str:
    return ":large_green_circle:" if message.is_closed else _ICONS.get(message.state, ":white_circle:")


def _serving(message: Message) -> str:
    names = [message.facts[name] for name in ("Baseline", "Serving") if name in message.facts]
    return " → ".join(names)


def _section(part: Part) -> dict[str, Any]:
    if len(part.lines) == 1:
        return {"type": "section", "text": _text(f"*{part.title}*   {escape(part.lines[0], 450)}")}
    lines = "\n".join(f"• {escape(line, 450)}" for line in part.lines)
    return {"type": "section", "text": _text(f"*{part.title}*\n{lines}")}


def _button(link: Link) -> dict[str, Any]:
    return {**_labelled(link.label), "url": link.url}


def _labelled(label: str) -> dict[str, Any]:
    return {"type": "button", "text": {"type": "plain_text", "text": label}}


def _text(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text}


def _check_response(content: bytes) -> dict[str, Any]:
    """The response. Raises NotifierError unless it is ok; Slack sends status 200 to bots even with errors."""
    try:
        response: dict[str, Any] = orjson.loads(content)
        is_ok, code = response["ok"], str(response.get("error", ""))
    except (ValueError, TypeError, KeyError, AttributeError):
        raise NotifierError(Reason.BROKEN, "Slack returned an unexpected response") from None
    if is_ok is not True:
        label = code if code.replace("_", "").isalpha() and len(code) <= 60 else "an unknown error"
        raise NotifierError(_REASONS.get(code, Reason.REJECTED), f"Slack returned {label}")
    return response
