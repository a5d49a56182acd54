"""Read the tagged texts of TREC, in SGML without closing tags or in XML, on one line or on many.

<top> <num> Number: 301 <title> International Organized Crime <desc> Description: … </top>
<topic number="1"><query>coronavirus origin</query><question>…</question></topic>
<DOC><DOCNO> FT911-3 </DOCNO><HEADLINE>…</HEADLINE><TEXT>…</TEXT></DOC>
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from monitor.errors import SuiteError

_ATTRIBUTE = re.compile(r"""([\w:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_MARKUP = re.compile(r"<!--.*?-->|<\?.*?\?>|<!\w.*?>", re.DOTALL)
_ANY_TAG = re.compile(r"</?[A-Za-z][\w:.-]*(?:\s[^<>]*)?/?>")


@dataclass(frozen=True, slots=True)
class Block:
    """One topic or document: its place, the attributes of its tag, and the text between its tags."""

    where: str
    attributes: Mapping[str, str]
    content: str


def blocks(text: str, path: Path, names: Collection[str], around: Collection[str] = ()) -> Iterator[Block]:
    """The blocks with these tags. Raises SuiteError for text outside of them, apart from the tags ``around`` them."""
    text = _MARKUP.sub(lambda match: "\n" * match[0].count("\n"), text)
    tags = re.compile(rf"<(/?)({'|'.join(names)})\b([^>]*)>", re.IGNORECASE)
    name = f"<{next(iter(names))}>"
    outer = re.compile(rf"</?(?:{'|'.join(around)})\b[^>]*>", re.IGNORECASE) if around else None
    start: re.Match[str] | None = None
    end = 0
    for tag in tags.finditer(text):
        where = _place(text, tag.start(), path)
        if not tag[1] and start is not None:
            place = _place(text, start.start(), path)
            raise SuiteError(where, f"a topic starts before the topic at {place} ends: {_closing(start)} is missing")
        if not tag[1]:
            _refuse_text(text, end, tag.start(), path, outer, name)
            start = tag
        elif start is None:
            raise SuiteError(where, f"is outside of {name} … {name.replace('<', '</')}")
        else:
            attributes = {name: double or single for name, double, single in _ATTRIBUTE.findall(start[3])}
            yield Block(_place(text, start.start(), path), attributes, text[start.end() : tag.start()])
            start, end = None, tag.end()
    if start is not None:
        raise SuiteError(_place(text, start.start(), path), f"the topic does not end: {_closing(start)} is missing")
    _refuse_text(text, end, len(text), path, outer, name)


def fields(content: str, names: Collection[str]) -> dict[str, list[str]]:
    """The texts behind each of these tags, up to the next of them; closing tags are optional."""
    tags = re.compile(rf"<(/?)({'|'.join(names)})\b[^>]*>", re.IGNORECASE)
    matches = list(tags.finditer(content))
    values: dict[str, list[str]] = {}
    for tag, following in zip(matches, [*matches[1:], None][: len(matches)], strict=True):
        if not tag[1]:
            end = following.start() if following else len(content)
            values.setdefault(tag[2].lower(), []).append(content[tag.end() : end])
    return values


def plain(text: str) -> str:
    """The text without tags, with entities resolved and white space folded."""
    return " ".join(html.unescape(_ANY_TAG.sub(" ", text)).split())


def _refuse_text(
    text: str, start: int, end: int, path: Path, outer: re.Pattern[str] | None, name: str
) -> None:  # fmt: skip
    between = text[start:end]
    rest = outer.sub(lambda match: " " * len(match[0]), between) if outer else between
    if rest.strip():
        at = start + len(rest) - len(rest.lstrip())
        raise SuiteError(_place(text, at, path), f"is outside of {name} … {name.replace('<', '</')}")


def _closing(tag: re.Match[str]) -> str:
    return f"</{tag[2].lower()}>"


def _place(text: str, at: int, path: Path) -> str:
    return f"{path}:{text.count(chr(10), 0, at) + 1}"
