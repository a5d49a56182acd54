"""Fake of the vector search of Redis; it accepts only the published syntax.

https://redis.io/docs/latest/develop/ai/search-and-query/vectors/
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

import numpy as np

QUERY = re.compile(r"(\*|\(.+\))=>\[KNN \$(\w+) @(\w+) \$(\w+)(?: EF_RUNTIME \$(\w+))? AS (\w+)\]")


class RedisSearch:
    """One index of hashes, ``idx``, with vectors of FLOAT32 under ``embedding``, searched by cosine distance."""

    def __init__(self, documents: Mapping[str, Mapping[str, bytes]], dimension: int, password: str) -> None:
        self.documents = documents
        self.dimension = dimension
        self.password = password
        self.searches: list[list[bytes]] = []

    def answer(self, words: list[bytes], session: set[str]) -> bytes:
        """The reply of Redis, in RESP2."""
        name = words[0].upper()
        if name == b"AUTH":
            if words[-1].decode() != self.password:
                return b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"
            session.add("in")
            return b"+OK\r\n"
        if "in" not in session:
            return b"-NOAUTH Authentication required.\r\n"
        commands = {b"CLIENT": self._client, b"FT.INFO": self._info, b"FT.SEARCH": self._search, b"HGET": self._hget}
        if name not in commands:
            return b"-ERR unknown command '%s'\r\n" % words[0]
        return commands[name](words)

    def _client(self, words: list[bytes]) -> bytes:
        return b"+OK\r\n"

    def _info(self, words: list[bytes]) -> bytes:
        if words[1] != b"idx":
            return b"-Unknown Index name\r\n"
        attribute = [
            *("identifier", "embedding", "attribute", "embedding", "type", "VECTOR", "algorithm", "HNSW"),
            *("data_type", "FLOAT32", "dim", self.dimension, "distance_metric", "COSINE"),
        ]
        definition = ["key_type", "HASH", "prefixes", ["doc:"], "default_score", "1"]
        return encode(["index_name", "idx", "index_definition", definition, "attributes", [attribute], "num_docs", 24])

    def _search(self, words: list[bytes]) -> bytes:
        self.searches.append(words)
        if words[1] != b"idx":
            return b"-No such index %s\r\n" % words[1]
        match = QUERY.fullmatch(words[2].decode())
        if match is None or words[-2:] != [b"DIALECT", b"2"]:
            return b"-Syntax error at offset 0 near =>\r\n"
        count = int(words[4])
        parameters = {name.decode(): value for name, value in zip(words[5::2], words[6 : 5 + count : 2], strict=False)}
        query = np.frombuffer(parameters[match[4]], dtype=np.float32)
        if len(query) != self.dimension:
            return b"-Error parsing vector similarity query: query vector blob size does not match index's\r\n"
        at = words.index(b"RETURN")
        returned = [word.decode() for word in words[at + 2 : at + 2 + int(words[at + 1])]]
        return encode(self._nearest(query, int(parameters[match[2]]), match[6], returned))

    def _nearest(self, query: np.ndarray, k: int, name: str, returned: list[str]) -> list[object]:
        def distance(key: str) -> float:
            vector = np.frombuffer(self.documents[key]["embedding"], dtype=np.float32)
            return float(1 - query @ vector / np.linalg.norm(query) / np.linalg.norm(vector))

        best = sorted(self.documents, key=distance)[:k]
        items: list[object] = [len(best)]
        for key in best:
            fields = {**self.documents[key], name: str(distance(key))}
            items += [key, [part for field in returned if field in fields for part in (field, fields[field])]]
        return items

    def _hget(self, words: list[bytes]) -> bytes:
        return encode(self.documents.get(words[1].decode(), {}).get(words[2].decode()))


def encode(value: object) -> bytes:
    """Encode a value in RESP2."""
    if value is None:
        return b"$-1\r\n"
    if isinstance(value, int):
        return b":%d\r\n" % value
    if isinstance(value, list):
        return b"*%d\r\n" % len(value) + b"".join(map(encode, value))
    content = value if isinstance(value, bytes) else str(value).encode()
    return b"$%d\r\n%s\r\n" % (len(content), content)


@asynccontextmanager
async def serving_redis(fake: RedisSearch) -> AsyncIterator[int]:
    """The port on which the fake listens until the block ends."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session: set[str] = set()
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                count = int((await reader.readuntil(b"\r\n"))[1:])
                words = []
                for _ in range(count):
                    length = int((await reader.readuntil(b"\r\n"))[1:])
                    words.append((await reader.readexactly(length + 2))[:-2])
                writer.write(fake.answer(words, session))
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
