"""Answers scored per second by all scorers that need no language model, on one core."""

from __future__ import annotations

import asyncio
import random

from benchmarks.result import Result, dump
from benchmarks.timing import median_seconds, say
from monitor.evaluation.answers.abstention import is_abstention, is_empty
from monitor.evaluation.answers.measurements import SCORERS
from monitor.evaluation.answers.tokens import N_CACHED

N_ANSWERS, N_REFERENCES, GOAL = 4_000, 3, 2_000
FIGURES = ("12", "1,250 km", "3.5 %", "twenty-one", "2024-03-01", "14 May 1998", "$2.5 million", "90 °F")
OTHERS = ("the", "a", "of", "in", "is", "was", "and", "may", "not", "to")
Answers = list[tuple[str, list[str]]]


def prepare() -> Answers:
    """Distinct answers of 20 to 60 words, each with three references of up to 20 of these words."""
    rng = random.Random(1)  # noqa: S311 - the same inputs every time, not a secret
    words = ["".join(rng.choices("etaoinshrdlu", k=rng.randint(2, 9))) for _ in range(5_000)]
    return [_answer(rng, words) for _ in range(N_ANSWERS)]


def _answer(rng: random.Random, words: list[str]) -> tuple[str, list[str]]:
    tokens = [rng.choice(OTHERS if rng.random() < 0.4 else words) for _ in range(rng.randint(20, 60))]
    for _ in range(rng.randint(0, 2)):
        tokens[rng.randrange(len(tokens))] = rng.choice(FIGURES)
    references = []
    for _ in range(N_REFERENCES):
        start = rng.randrange(len(tokens))
        references.append(" ".join([*tokens[start : start + rng.randint(1, 20)], rng.choice(words)]))
    return (
        f"{' '.join(tokens[: len(tokens) // 2])}, {' '.join(tokens[len(tokens) // 2 :])}.".capitalize(),
        references,
    )


def score_all(answers: Answers) -> int:
    """Compute all applicable scores. There are more texts than a cache holds from one round to the next."""
    applied = 0
    for text, references in answers:
        values = [score(text, references) for score in SCORERS.values()]
        applied += sum(value == value for value in values) + is_abstention(text) + is_empty(text)
    return applied


async def compare() -> list[Result]:
    """Answers per second."""
    say(f"answering: scoring {N_ANSWERS:,} answers of 20 to 60 words, {N_REFERENCES} references each")
    answers = prepare()
    if len({text for answer, references in answers for text in (answer, *references)}) < 2 * N_CACHED:
        raise ValueError("too few texts: caches would keep them from one round to the next")
    if score_all(answers) < 4 * N_ANSWERS:
        raise ValueError("four of the scorers apply to every answer")
    (seconds,) = await median_seconds(lambda: score_all(answers))
    subject = f"answers scored, {len(SCORERS)} scorers, {N_REFERENCES} references each"
    return [Result(subject, "answers/s", N_ANSWERS / seconds, goal=GOAL, unit_of_goal="answers/s")]


if __name__ == "__main__":
    print(dump(asyncio.run(compare())))
