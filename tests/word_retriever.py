"""A retriever service for tests: ranks by shared words, over HTTP, in a process of its own.

    python tests/word_retriever.py FOLDER [DELAY_S]

POST /search {"query", "k", "namespace"}; POST /answer {"query", "contexts"?} answers with the first words of the best
document, or of the first context;
POST /break {"share"} makes that share of the documents unfindable until told otherwise.
POST /hold {"after"} leaves every search after so many without an answer; {"after": null} answers them all.
POST /documents {"namespace", "documents": [{"id", "title", "text"}]} and DELETE /documents/NAMESPACE write and drop
documents beside those of FOLDER.
"""

import json
import math
import re
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DOCUMENTS = [json.loads(line) for line in (Path(sys.argv[1]) / "corpus.jsonl").read_text().splitlines()]
DELAY_S = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0


def words(text: str) -> list[str]:
    """Lower-case words."""
    return re.findall(r"\w+", text.lower())


class Index:
    """Documents by the words in them."""

    def __init__(self, documents: list[dict[str, str]]) -> None:
        self.ids = [each["_id"] for each in documents]
        bags = [Counter(words(f"{each.get('title', '')} {each['text']}")) for each in documents]
        self.frequency = Counter(word for bag in bags for word in bag)
        self.postings: dict[str, list[int]] = {}
        for place, bag in enumerate(bags):
            for word in bag:
                self.postings.setdefault(word, []).append(place)

    def search(self, query: str, k: int) -> list[dict[str, object]]:
        """The k documents that share the rarest words with the query."""
        scores = dict.fromkeys(range(len(self.ids)), 0.0)
        for word in words(query):
            for place in self.postings.get(word, ()):
                scores[place] += 1.0 / self.frequency[word]
        hidden = int(STATE["share"] * 10)
        found = [(place, score) for place, score in scores.items() if place % 10 >= hidden]
        found.sort(key=lambda item: -item[1])
        return [{"id": self.ids[place], "score": score} for place, score in found[:k]]


STATE = {"share": 0.0}
GATE = threading.Condition()
ANSWERS_LEFT: list[float] = [math.inf]
TEXTS = {each["_id"]: each["text"] for each in DOCUMENTS}
PRODUCTION = Index(DOCUMENTS)
NAMESPACES: dict[str, dict[str, dict[str, str]]] = {}
INDEXES: dict[str, Index] = {}


def search(query: str, k: int, namespace: str) -> list[dict[str, object]]:
    """Search the documents that were there from the start, or those of a namespace."""
    if not namespace:
        return PRODUCTION.search(query, k)
    if namespace not in INDEXES:
        INDEXES[namespace] = Index(list(NAMESPACES.get(namespace, {}).values()))
    return INDEXES[namespace].search(query, k)


def pass_gate() -> None:
    """Wait until another search may be answered."""
    with GATE:
        GATE.wait_for(lambda: ANSWERS_LEFT[0] > 0)
        ANSWERS_LEFT[0] -= 1


def hold(after: int | None) -> None:
    """Answer so many more searches and hold the rest, or answer all."""
    with GATE:
        ANSWERS_LEFT[0] = math.inf if after is None else after
        GATE.notify_all()


def add(namespace: str, documents: list[dict[str, str]]) -> None:
    """Put documents into a namespace; those with the same ids are replaced."""
    kept = NAMESPACES.setdefault(namespace, {})
    kept.update({each["id"]: {"_id": each["id"], "title": each["title"], "text": each["text"]} for each in documents})
    INDEXES.pop(namespace, None)


def remove(namespace: str) -> None:
    """Drop a namespace."""
    NAMESPACES.pop(namespace, None)
    INDEXES.pop(namespace, None)


class Handler(BaseHTTPRequestHandler):
    """The HTTP face."""

    protocol_version = "HTTP/1.1"
    wbufsize = 65_536  # one packet for head and body; two would wait for each other

    def do_POST(self) -> None:
        """Answer a search, or take an order."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/break":
            STATE["share"] = asked["share"]
            self._answer({})
        elif self.path == "/hold":
            hold(asked["after"])
            self._answer({})
        elif self.path == "/documents":
            add(asked["namespace"], asked["documents"])
            self._answer({})
        elif self.path == "/answer":
            contexts = asked.get("contexts")
            found = PRODUCTION.search(asked["query"], 5) if contexts is None else []
            texts = [TEXTS[str(hit["id"])] for hit in found] if contexts is None else contexts
            documents = [hit["id"] for hit in found] if contexts is None else None
            self._answer({"answer": "".join(texts[:1])[:120], "documents": documents, "model": "first-words"})
        else:
            time.sleep(DELAY_S)
            pass_gate()
            self._answer({"hits": search(asked["query"], asked["k"], asked.get("namespace", ""))})

    def do_DELETE(self) -> None:
        """Drop a namespace."""
        self.rfile.read(int(self.headers.get("content-length", 0)))
        remove(self.path.removeprefix("/documents/"))
        self._answer({})

    def _answer(self, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(json.dumps({"url": f"http://127.0.0.1:{server.server_port}"}), flush=True)  # noqa: T201 - how the test learns the port
server.serve_forever()
