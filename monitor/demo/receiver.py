"""The receiver of the webhook: verifies signatures and keeps genuine messages."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


@dataclass(slots=True)
class Receiver:
    """Acts as an on-call tool."""

    secret: str = field(default_factory=lambda: "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())
    messages: list[dict[str, Any]] = field(default_factory=list)

    def create_app(self) -> Starlette:
        """An endpoint that answers 202 to a genuine message and 401 to any other."""
        return Starlette(routes=[Route("/", self._receive, methods=["POST"])])

    def find(self, state: str) -> dict[str, Any] | None:
        """The first message in this state so far."""
        return next((message for message in self.messages if message["data"]["state"] == state), None)

    async def _receive(self, request: Request) -> JSONResponse:
        body = await request.body()
        try:
            message = Webhook(self.secret).verify(body, dict(request.headers))
        except WebhookVerificationError as error:
            return JSONResponse({"problem": str(error)}, status_code=401)
        self.messages.append(message)
        return JSONResponse(None, status_code=202)
