"""A retriever service for tests: ranks by shared words, over HTTP, in a process of its own.

    python tests/word_retriever.py FOLDER [DELAY_S]

POST /search {"query", "k"}; POST /break {"share"} makes that share of the documents unfindable until told otherwise.
"""

import json
import re
import sys
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DOCUMENTS = [json.loads(line) for line in (Path(sys.argv[1]) / "corpus.jsonl").read_text().splitlines()]
DELAY_S = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0


def words(text: str) -> list[str]:
    """Lower-case words."""
    return re.findall(r"\w+", text.lower())


BAGS = [Counter(words(f"{each.get('title', '')} {each['text']}")) for each in DOCUMENTS]
FREQUENCY = Counter(word for bag in BAGS for word in bag)
POSTINGS: dict[str, list[int]] = {}
for place, bag in enumerate(BAGS):
    for word in bag:
        POSTINGS.setdefault(word, []).append(place)
STATE = {"share": 0.0}


def search(query: str, k: int) -> list[dict[str, object]]:
    """The k documents that share the rarest words with the query."""
    scores = dict.fromkeys(range(len(DOCUMENTS)), 0.0)
    for word in words(query):
        for place in POSTINGS.get(word, ()):
            scores[place] += 1.0 / FREQUENCY[word]
    hidden = int(STATE["share"] * 10)
    found = [(place, score) for place, score in scores.items() if place % 10 >= hidden]
    found.sort(key=lambda item: -item[1])
    return [{"id": DOCUMENTS[place]["_id"], "score": score} for place, score in found[:k]]


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
        else:
            time.sleep(DELAY_S)
            self._answer({"hits": search(asked["query"], asked["k"])})

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
