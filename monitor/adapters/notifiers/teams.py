"""Microsoft Teams: an Adaptive Card in the envelope of a Workflows webhook."""

from __future__ import annotations

from typing import Any

import orjson

from monitor.adapters.notifiers.endpoint import Endpoint, SecretUrlOptions
from monitor.adapters.notifiers.message import Message, acknowledge_command, fit, render
from monitor.model.alerts import Alert

_LARGEST_MESSAGE = 21_000
"""Teams documents a limit of 28 KB, but rejects some messages from 21 KB on."""
_COLOURS = {
    **dict.fromkeys(("firing", "reopened", "reminder"), "Attention"),
    "acknowledged": "Warning",
}


class TeamsOptions(SecretUrlOptions):
    """The workflow to post to."""


class TeamsNotifier:
    """Posts alerts as cards."""

    Options = TeamsOptions

    def __init__(self, options: TeamsOptions) -> None:
        self._endpoint = Endpoint(options.address(), options)

    async def notify(self, alert: Alert) -> None:
        """Post one alert; returns once the workflow accepted it."""
        await self._endpoint.post(fit(render(alert), _write, _LARGEST_MESSAGE))

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoint.close()


def _write(message: Message) -> bytes:
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": _card(message),
    }
    return orjson.dumps({"type": "message", "attachments": [attachment]})


def _card(message: Message) -> dict[str, Any]:
    colour = "Good" if message.is_closed else _COLOURS.get(message.state, "Default")
    return {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": message.title,
        "msteams": {"width": "Full"},
        "body": [
            _line(_run(message.title, weight="Bolder", size="Large", color=colour)),
            *([_line(_run(_context(message), isSubtle=True))] if _context(message) else []),
            *([_line(_run(message.text))] if message.text else []),
            *(line for part in message.parts for line in _list(part.title, part.lines)),
            *(
                _line(_run(command, fontType="Monospace"))
                for command in (message.command, acknowledge_command(message))
                if command
            ),
        ],
        "actions": [{"type": "Action.OpenUrl", "title": link.label, "url": link.url} for link in message.links],
    }


def _context(message: Message) -> str:
    names = ("Severity", "Owner", "Baseline", "Serving", "Opened", "Incident")
    return " · ".join(f"{name.lower()} {message.facts[name]}" for name in names if name in message.facts)


def _list(title: str, lines: tuple[str, ...]) -> list[dict[str, Any]]:
    if len(lines) == 1:
        return [_line(_run(f"{title}: ", weight="Bolder"), _run(lines[0]))]
    head = {**_line(_run(title, weight="Bolder")), "spacing": "Medium"}
    return [head, *(_line(_run(f"• {line}")) for line in lines)]


def _line(*runs: dict[str, Any]) -> dict[str, Any]:
    """A paragraph. Unlike a TextBlock, its runs do not interpret Markdown."""
    return {"type": "RichTextBlock", "spacing": "Small", "inlines": list(runs)}


def _run(text: str, **style: str | bool) -> dict[str, Any]:
    return {"type": "TextRun", "text": text, **style}
