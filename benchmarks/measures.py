"""Rank measures of 100,000 rankings of 100 documents, against pytrec_eval and ranx."""

from __future__ import annotations

import asyncio
import random
import time
import warnings
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import pytrec_eval
import ranx

from benchmarks.result import Result, dump
from benchmarks.timing import median_seconds, say
from monitor.evaluation.measures import REPORTED
from monitor.evaluation.retrieval import evaluate, locate

N_QUERIES, DEPTH, N_DOCUMENTS = 100_000, 100, 1_000_000
GOAL = 10.0
TREC_MEASURES = {"recall.5,10", "recip_rank", "ndcg_cut.10", "success.5"}
TREC_NAMES = {"recall@5": "recall_5", "recall@10": "recall_10", "ndcg@10": "ndcg_cut_10", "success@5": "success_5"}
RANX_NAMES = ["recall@5", "recall@10", "mrr@10", "ndcg@10", "hit_rate@5"]


@dataclass(frozen=True, slots=True)
class Inputs:
    """Inputs of recallwatch and its peers."""

    rankings: list[tuple[tuple[str, ...], dict[str, int]]]
    run: dict[str, dict[str, float]]
    qrels: dict[str, dict[str, int]]
    building_s: float
    """Seconds to build the dictionaries for the peers."""


def prepare() -> Inputs:
    """Rankings with one to three relevant documents, of which every fourth is not retrieved.

    Every id is a string of its own, as it is when it comes out of an answer or a database.
    """
    rng = random.Random(1)  # noqa: S311 - the same inputs every time, not a secret
    scores = [float(DEPTH - rank) for rank in range(DEPTH)]
    rankings = []
    for _ in range(N_QUERIES):
        numbers = rng.sample(range(N_DOCUMENTS), DEPTH)
        ranks = {int(DEPTH * rng.random() ** 2) for _ in range(rng.randint(1, 3))}
        relevant = {
            f"doc-{numbers[rank] if rng.random() < 0.75 else N_DOCUMENTS + rank:07d}": rng.randint(1, 3)
            for rank in ranks
        }
        rankings.append((tuple(f"doc-{number:07d}" for number in numbers), relevant))
    started = time.perf_counter()
    run = {f"q{i}": dict(zip(doc_ids, scores, strict=True)) for i, (doc_ids, _) in enumerate(rankings)}
    qrels = {f"q{i}": grades for i, (_, grades) in enumerate(rankings)}
    return Inputs(rankings, run, qrels, time.perf_counter() - started)


def ours(inputs: Inputs) -> dict[str, float]:
    """Means by recallwatch."""
    relevance = locate(inputs.rankings)
    return {measure: float(evaluate(relevance, measure).mean()) for measure in REPORTED}


def refuse_disagreement(inputs: Inputs, evaluator: pytrec_eval.RelevanceEvaluator) -> None:
    """Raise ValueError unless our means equal those of trec_eval."""
    per_query = list(evaluator.evaluate(inputs.run).values())
    theirs = {name: np.mean([each[trec] for each in per_query]) for name, trec in TREC_NAMES.items()}
    # trec_eval has no cutoff for the reciprocal rank; beyond rank 10 it is below a tenth.
    theirs["mrr@10"] = np.mean([each["recip_rank"] if each["recip_rank"] >= 0.1 else 0.0 for each in per_query])
    for name, mean in ours(inputs).items():
        if abs(mean - theirs[name]) > 1e-12:
            raise ValueError(f"{name}: {mean} here, {theirs[name]} by pytrec_eval")


def build_ranx(inputs: Inputs) -> tuple[ranx.Qrels, ranx.Run, float]:
    """The inputs for ranx, and the seconds to build them."""
    # Once with little, so that compiling is not counted.
    ranx.Run({"q": {"d": 1.0}}), ranx.Qrels({"q": {"d": 1}})
    started = time.perf_counter()
    qrels, run = ranx.Qrels(inputs.qrels), ranx.Run(inputs.run)
    return qrels, run, time.perf_counter() - started


async def compare() -> list[Result]:
    """Compare recallwatch with both peers."""
    say(f"measures: preparing {N_QUERIES:,} rankings of {DEPTH}")
    inputs = prepare()
    evaluator = pytrec_eval.RelevanceEvaluator(inputs.qrels, TREC_MEASURES)
    refuse_disagreement(inputs, evaluator)
    say("measures: means agree with pytrec_eval to 1e-12; building what ranx wants")
    qrels, run, ranx_building_s = build_ranx(inputs)
    mine, trec, of_ranx = await median_seconds(
        lambda: ours(inputs),
        lambda: evaluator.evaluate(inputs.run),
        lambda: ranx.evaluate(qrels, run, RANX_NAMES),
    )
    peers = (
        (f"pytrec_eval-terrier {version('pytrec_eval-terrier')}", trec, inputs.building_s),
        (f"ranx {version('ranx')}", of_ranx, inputs.building_s + ranx_building_s),
    )
    subject = f"five measures on {N_QUERIES:,} rankings of {DEPTH}"
    return [
        Result(subject, "s", mine, peer, theirs, theirs / mine, GOAL, building_s=building_s)
        for peer, theirs, building_s in peers
    ]


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # numba's, about its own compiling
    print(dump(asyncio.run(compare())))
