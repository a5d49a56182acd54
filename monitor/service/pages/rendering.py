"""Templates of the pages, and the headers that keep them plain: no script, no frame, no foreign content."""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup
from starlette.responses import HTMLResponse

HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "referrer-policy": "no-referrer",  # an address may carry the token of a signed link
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


def page(template: str, title: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page from a template."""
    content = _environment().get_template(template).render(title=title, **values)
    return HTMLResponse(content, status_code=status, headers=HEADERS)


def problem(status: int, text: str) -> HTMLResponse:
    """A page with the reason why there is no other."""
    return page("text.html", text, status=status, content=text)


def markdown_page(file: Path) -> HTMLResponse:
    """A Markdown document as a page; its headings have the anchors that links name."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(file.read_text(encoding="utf-8"))
    for opening, heading in pairwise(tokens):
        if opening.type == "heading_open":
            opening.attrSet("id", _anchor(heading))
    content = Markup(parser.renderer.render(tokens, parser.options, {}))  # noqa: S704 - the project's own document
    return page("text.html", file.stem.capitalize(), content=content)


def _anchor(heading: Token) -> str:
    return re.sub(r"[^\w\- ]", "", heading.content.lower()).replace(" ", "-")


@cache
def _environment() -> Environment:
    packages = ("monitor.service.pages", "monitor.adapters.notifiers")
    return Environment(
        loader=ChoiceLoader([PackageLoader(name) for name in packages]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
