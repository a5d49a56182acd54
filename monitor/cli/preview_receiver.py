"""A receiver on this machine that keeps what notifiers send, to show it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from monitor.adapters import registry
from monitor.adapters.notifiers.email import EmailOptions, write
from monitor.cli.notify_preview import example_options
from monitor.incidents.acknowledgement import with_acknowledge_link
from monitor.incidents.routing import Links
from monitor.model.alerts import Alert
from monitor.service.api.server import listen, running


async def messages_of(alert: Alert, links: Links) -> dict[str, bytes]:
    """File name to content: the body that each kind of notifier sends, and the mail as text and as HTML."""
    alert = with_acknowledge_link(alert, links)
    messages: dict[str, bytes] = {}
    async with _receiving() as (url, bodies):
        for name, options in example_options(url).items():
            kind = "slack" if name == "slack_bot" else name
            notifier = registry.resolve("notifier", {"kind": kind, **options}, where=name).build()
            try:
                await notifier.notify(alert)
            finally:
                await notifier.close()
            messages[f"{name}.json"] = orjson.dumps(orjson.loads(bodies.pop()), option=orjson.OPT_INDENT_2) + b"\n"
    return messages | _mail_of(alert)


def _mail_of(alert: Alert) -> dict[str, bytes]:
    options = EmailOptions(
        host="smtp.example.org", sender="recallwatch@example.org", recipients=("on-call@example.org",)
    )
    mail = write(alert, options)
    text, page = mail.get_body(("plain",)), mail.get_body(("html",))
    subject = f"Subject: {mail['Subject']}\n\n"
    return {
        "email.txt": (subject + (text.get_content() if text else "")).encode(),
        "email.html": (page.get_content() if page else "").encode(),
    }


@asynccontextmanager
async def _receiving() -> AsyncIterator[tuple[str, list[bytes]]]:
    """The URL of the receiver, and the bodies that it got."""
    bodies: list[bytes] = []

    async def keep(request: Request) -> JSONResponse:
        bodies.append(await request.body())
        return JSONResponse({"ok": True, "ts": "1700000000.000100"})

    app = Starlette(routes=[Route("/{path:path}", keep, methods=["POST"])])
    with listen("127.0.0.1", 0) as listener:
        async with running(app, listener) as url:
            yield f"{url}/", bodies
