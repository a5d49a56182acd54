"""Citations written in the text of an answer: [1], [2, 3], (doc-7)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

LONGEST_READ = 50_000
"""Maximum number of characters of a text that are read."""
_MARK = re.compile(r"(?<!\b[A-Za-z])[\[【](?P<inner>[^\[\]【】\n]{1,200})[\]】]|\((?P<round>[^()\n]{1,200})\)")
_LABEL = re.compile(r"\^|(?:sources?|docs?|documents?|context|see|ref|id|quelle)\b\s*[:#]?\s*", re.IGNORECASE)
_SEPARATOR = re.compile(r"\s*[,;]\s*")
_RANGE = re.compile(r"(?P<first>\d{1,3})(?:\s*[-–]\s*(?P<last>\d{1,3}))?")


def inline_citations(text: str, doc_ids: Sequence[str], known_ids: Collection[str] = ()) -> tuple[str, ...]:
    """The documents that a text cites, each once, in the order of the text.

    A number in square brackets is the position of a context, from 1; an id of a context or of a document in
    ``known_ids`` is read in square brackets and in parentheses. Other brackets are ignored.

    Examples
    --------
    >>> inline_citations("Five days [2], since 2020 (doc-7).", ["doc-3", "doc-4"], {"doc-7"})
    ('doc-4', 'doc-7')
    """
    readable_ids = {*doc_ids, *known_ids}
    cited: dict[str, None] = {}
    for match in _MARK.finditer(text[:LONGEST_READ]):
        for part in _SEPARATOR.split((match["inner"] or match["round"]).strip()):
            name = part if part in readable_ids else _LABEL.sub("", part, count=1).strip()
            if name in readable_ids:
                cited[name] = None
            elif match["inner"]:
                cited |= dict.fromkeys(_at_positions(name, doc_ids))
    return tuple(cited)


def _at_positions(name: str, doc_ids: Sequence[str]) -> Iterator[str]:
    if (match := _RANGE.fullmatch(name)) is None:
        return
    first, last = int(match["first"]), int(match["last"] or match["first"])
    if 1 <= first <= last <= len(doc_ids):
        yield from doc_ids[first - 1 : last]
