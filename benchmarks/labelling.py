"""Finding judged passages in 5,000 rankings of 100 chunks, by place and by quote."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

from benchmarks.result import Result, dump
from benchmarks.timing import median_seconds, say
from monitor.evaluation.passages.labels import label_states, resolve
from monitor.evaluation.passages.quotes import look_for_quotes, normalise
from monitor.model.passages import Passage, Sources
from monitor.model.runs import Ranking
from monitor.model.suites import Query

N_QUERIES, DEPTH, N_DOCUMENTS, CHUNK, CHUNKS = 5_000, 100, 2_000, 400, 25
GOAL_S = 2.0
Ranked = list[tuple[Query, Ranking]]


def prepare() -> tuple[Ranked, Ranked]:
    """Queries with one to three judged passages and their rankings: chunks with places, chunks with texts."""
    rng = random.Random(1)  # noqa: S311 - the same inputs every time, not a secret
    words = ["".join(rng.choices("etaoinshrdlu", k=rng.randint(2, 9))) for _ in range(5_000)]
    texts = [" ".join(rng.choices(words, k=CHUNK * CHUNKS // 5))[: CHUNK * CHUNKS] for _ in range(N_DOCUMENTS)]
    by_place, by_words = [], []
    for number in range(N_QUERIES):
        hits = rng.sample(range(N_DOCUMENTS * CHUNKS), DEPTH)
        passages = tuple(_passage(rng, rng.choice(hits), texts) for _ in range(rng.randint(1, 3)))
        query = Query(query_id=f"q{number}", text="", stratum="", cluster="", passages=passages)
        doc_ids = tuple(f"d{hit // CHUNKS}" for hit in hits)
        starts = tuple(hit % CHUNKS * CHUNK for hit in hits)
        sources = Sources(doc_ids, starts, tuple(start + CHUNK for start in starts))
        ranking = Ranking(doc_ids=tuple(f"c{hit}" for hit in hits), sources=sources)
        chunk_texts = tuple(
            texts[hit // CHUNKS][start : start + CHUNK] for hit, start in zip(hits, starts, strict=True)
        )
        by_place.append((replace(query, passages=tuple(p._replace(quote=None) for p in passages)), ranking))
        by_words.append((query, replace(ranking, texts=chunk_texts)))
    return by_place, by_words


def _passage(rng: random.Random, hit: int, texts: list[str]) -> Passage:
    """A passage in a chunk or over its border; in every fourth case in another chunk, which may be missing."""
    hit = hit if rng.random() < 0.75 else rng.randrange(N_DOCUMENTS * CHUNKS)
    document, start = hit // CHUNKS, hit % CHUNKS * CHUNK + rng.randrange(CHUNK - 80)
    return Passage(1, f"d{document}", start, start + 120, texts[document][start : start + 120])


def resolve_all(rankings: Ranked) -> int:
    """The number of passages found in rankings, with their label states."""
    return sum(len(resolve(query, each).places) + 0 * len(label_states(query, each)) for query, each in rankings)


def quote_all(rankings: Ranked) -> int:
    """The same by the texts of the chunks, without cached results."""
    normalise.cache_clear()
    return resolve_all([(query, look_for_quotes(each, query.passages)) for query, each in rankings])


async def compare() -> list[Result]:
    """Seconds of both."""
    say(f"labelling: preparing {N_QUERIES:,} rankings of {DEPTH}")
    by_place, by_words = prepare()
    resolved, quoted = resolve_all(by_place), quote_all(by_words)
    if not 0.9 * resolved < quoted <= 1.1 * resolved or resolved < N_QUERIES:
        raise ValueError(f"{resolved} passages found by place, {quoted} by words")
    place_s, words_s = await median_seconds(lambda: resolve_all(by_place), lambda: quote_all(by_words))
    subject = f"judged passages in {N_QUERIES:,} rankings of {DEPTH}"
    limit = {"goal": GOAL_S, "at_most": True, "unit_of_goal": "s"}
    return [
        Result(f"{subject}, by place", "s", place_s, **limit),
        Result(f"{subject}, by quote", "s", words_s),
    ]


if __name__ == "__main__":
    print(dump(asyncio.run(compare())))
