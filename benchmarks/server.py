"""A retriever that answers at once, so that benchmarks measure the client: ``python -m benchmarks.server``.

``/before`` and ``/now`` are two deployments: every second question is answered differently.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

DEPTH, N_DOCUMENTS = 100, 100_000
N_ANSWERS = 1_021
_QUESTION = re.compile(rb"question (\d+)")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def ranking(number: int) -> list[str]:
    """The documents of one of the prepared answers, best first."""
    rng = random.Random(number)  # noqa: S311 - the same answers in every process, not a secret
    return [f"doc-{each:06d}" for each in rng.sample(range(N_DOCUMENTS), DEPTH)]


def answer_of(question: int, *, now: bool) -> int:
    """The number of the prepared answer to a question."""
    return (question + (now and question % 2 == 0)) % N_ANSWERS


def rendered(number: int) -> bytes:
    """One prepared answer as bytes of an HTTP response."""
    hits = [{"id": doc_id, "score": 1.0 - rank / 200} for rank, doc_id in enumerate(ranking(number))]
    body = json.dumps({"hits": hits}).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


class Answering(asyncio.Protocol):
    """Minimal HTTP: a web framework would dominate the measurement."""

    answers: tuple[bytes, ...] = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport for answers."""
        self.transport = transport
        self.received = b""

    def data_received(self, data: bytes) -> None:
        """Answer every complete request."""
        self.received += data
        while (head := self.received.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self.received, 0, head)
            end = head + 4 + (int(length[1]) if length else 0)
            if len(self.received) < end:
                return
            question = _QUESTION.search(self.received, head, end)
            now = self.received.startswith(b"POST /now")
            self.transport.write(self.answers[answer_of(int(question[1]) if question else 0, now=now)])
            self.received = self.received[end:]


@contextmanager
def serving() -> Iterator[str]:
    """The address of a server in another process."""
    with subprocess.Popen([sys.executable, "-m", "benchmarks.server"], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


async def main() -> None:
    """Serve until terminated; the port is printed on standard output."""
    Answering.answers = tuple(map(rendered, range(N_ANSWERS)))
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0, backlog=1_024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    from monitor.cli.process import run_until_done

    try:
        run_until_done(main())
    except KeyboardInterrupt:  # what SIGTERM becomes
        sys.exit(0)
