"""Loading and linting a suite of 100,000 queries and a million documents.

In a process of its own, because its peak memory is measured; what it reads is written by another one.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import resource
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.result import Result, dump
from benchmarks.timing import say, seconds
from monitor.suites.linting import lint
from monitor.suites.reading import read_corpus, read_suite

N_QUERIES, N_DOCUMENTS, N_STRATA = 100_000, 1_000_000, 20
QUERY_WORDS, DOCUMENT_WORDS, VOCABULARY = 10, 50, 60_000
PLANTED = 1_000
"""Near-copies of relevant documents, near-duplicate and leaked queries: the benchmark fails if lint misses them."""
GOAL_S, GOAL_MB = 60.0, 1_000.0
_AT_ONCE = 10_000


def write(folder: Path) -> None:
    """A suite with planted mistakes; word frequencies follow Zipf's law."""
    rng = np.random.default_rng(1)
    words = np.array([f"w{number:x}" for number in range(VOCABULARY)], dtype=object)
    weights = 1.0 / np.arange(10, VOCABULARY + 10)
    edges = np.cumsum(weights / weights.sum())

    def texts(count: int, length: int) -> Iterator[list[str]]:
        for _ in range(0, count, _AT_ONCE):
            places = np.minimum(np.searchsorted(edges, rng.random((_AT_ONCE, length))), VOCABULARY - 1)
            yield from words[places].tolist()

    (folder / "qrels").mkdir()
    (folder / "suite.yaml").write_text('version: "1"\n')
    first: list[list[str]] = []
    with (folder / "corpus.jsonl").open("w") as corpus:
        for number, text in enumerate(texts(N_DOCUMENTS, DOCUMENT_WORDS)):
            if number < PLANTED:
                first.append(text)
            elif number >= N_DOCUMENTS - PLANTED:  # nearly one of the first, which are relevant
                text = [*first[number - N_DOCUMENTS + PLANTED][:-1], "other"]
            corpus.write(f'{{"_id": "d{number:07d}", "title": "", "text": "{" ".join(text)}"}}\n')
    with (folder / "queries.jsonl").open("w") as queries, (folder / "qrels" / "test.tsv").open("w") as qrels:
        originals: list[list[str]] = []
        for number, text in enumerate(texts(N_QUERIES, QUERY_WORDS)):
            if number < PLANTED:
                text = first[number][:QUERY_WORDS]
            elif number < 2 * PLANTED:
                originals.append(text)
            elif number < 3 * PLANTED:
                text = [*originals[number - 2 * PLANTED][:-1], "other"]
            metadata = f'{{"stratum": "s{number % N_STRATA}"}}'
            queries.write(f'{{"_id": "q{number:06d}", "text": "{" ".join(text)}", "metadata": {metadata}}}\n')
            qrels.write(f"q{number:06d}\td{number:07d}\t1\n")


def counts_by_rule(folder: Path) -> Counter[str]:
    """The number of findings of each rule."""
    suite = read_suite(folder)
    return Counter(finding.rule for finding in lint(suite, lambda: read_corpus(folder)))


async def compare() -> list[Result]:
    """Time and memory."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        say(f"linting: writing {N_QUERIES:,} queries and {N_DOCUMENTS:,} documents")
        writer = multiprocessing.get_context("spawn").Process(target=write, args=(folder,))
        writer.start()
        writer.join()
        say("linting: reading and linting them")
        counts: Counter[str] = Counter()
        # A single round, because it is slow and has no warm-up effects.
        taken_s = await seconds(lambda: counts.update(counts_by_rule(folder)))
    _refuse_misses(counts)
    subject = f"loading and linting {N_QUERIES:,} queries and {N_DOCUMENTS:,} documents"
    return [
        Result(subject, "s", taken_s, goal=GOAL_S, at_most=True, unit_of_goal="s"),
        Result("its peak memory", "MB", _peak_mb(), goal=GOAL_MB, at_most=True, unit_of_goal="MB"),
    ]


def _refuse_misses(counts: Counter[str]) -> None:
    for rule in ("hole", "leaked-answer", "near-duplicate-query"):
        if not 0.98 * PLANTED <= counts[rule] <= 1.02 * PLANTED:
            raise ValueError(f"{rule}: {counts[rule]} found, {PLANTED} planted")


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    print(dump(asyncio.run(compare())))
