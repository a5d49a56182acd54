"""The verdicts of whole cycles on two real swaps, in short: parts of the built-in suites under MiniLM.

The study (`benchmarks/study/real_verdicts.py`) has all swaps on the whole suites.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from benchmarks.study.harmless_swaps import Swap, float16
from benchmarks.study.real_cycles import JudgedSwap, judge_all
from benchmarks.study.real_verdicts import read_sets
from benchmarks.study.served import ServedSpace, space_of
from benchmarks.study.structural_tuning import embed_examples, tune_for_structure
from benchmarks.study.structure import CACHE
from benchmarks.validity.evaluation_sets import EvaluationSet, Vectors
from benchmarks.validity.models import untouched
from monitor.demo.tuning import apply
from monitor.model.verdicts import VerdictName

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]

STRATA = ("legal-contracts", "science-engineering", "negation", "spatial")
STEPS = 300


def part_of(whole: EvaluationSet) -> EvaluationSet:
    """The chosen strata of a suite, with the documents that their queries and pairs need."""
    queries = tuple(query for query in whole.suite.queries if query.stratum in STRATA)
    ids = {query.query_id for query in queries}
    pairs = tuple(pair for pair in whole.suite.pairs if pair.query_id in ids)
    needed = {doc_id for query in queries for doc_id in query.grades}
    kept = [number for number, doc_id in enumerate(whole.doc_ids) if doc_id in needed]
    return EvaluationSet(
        replace(whole.suite, queries=queries, pairs=pairs, controls=frozenset(), digest=f"{whole.suite.digest}/part"),
        tuple(whole.doc_ids[number] for number in kept),
        tuple(whole.documents[number] for number in kept),
    )


@pytest.fixture(scope="module")
def swaps_by_name() -> dict[str, JudgedSwap]:
    """One trade-off and one harmless swap, each judged as a declared and as a silent one."""
    sets, base = [part_of(each) for each in read_sets()], untouched(CACHE)
    space = space_of(sets, base)
    baseline = ServedSpace(space=space)
    examples = embed_examples(base, every=4, n_questions=150).of_identity
    matrix = tune_for_structure(examples, steps=(STEPS,), seed=0, folder=CACHE)[STEPS]
    changes: dict[str, Callable[[Vectors], Vectors]] = {
        "tuned": lambda vectors: apply(matrix, vectors),
        "float16": float16,
    }
    swaps = [
        Swap(name=name, before=baseline, after=ServedSpace(space=space.mapped(change)))
        for name, change in changes.items()
    ]
    return {each.name: each for each in judge_all(sets, swaps)}


def test_a_model_tuned_for_structure_is_called_a_trade_off(swaps_by_name: dict[str, JudgedSwap]):
    """Separation rises and broad retrieval falls: `trade_off`, because of a new model, whether declared or not."""
    swap = swaps_by_name["tuned"]
    assert swap.names == (VerdictName.TRADE_OFF, VerdictName.TRADE_OFF)
    assert swap.cause == "the embedding model changed"
    assert swap.change("ndcg@10") < -2


def test_vectors_in_float16_pass(swaps_by_name: dict[str, JudgedSwap]):
    """Rounding changes a few rankings and takes nothing away: `passed`, whether declared or not."""
    swap = swaps_by_name["float16"]
    assert swap.share_changed > 0
    assert swap.names == (VerdictName.PASSED, VerdictName.PASSED)
