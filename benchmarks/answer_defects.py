"""Defects of answers, attribution, chains and budgets, before and after their repair, on the same inputs.

    python -m benchmarks.answer_defects [--write]

The former procedures are kept here in their old form. The services are those of the tests, with a known cause.
``--write`` puts the table into docs/answers.md.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from monitor.diagnosis.attribution import Component, shapley
from monitor.evaluation.answers.abstention import is_abstention
from monitor.evaluation.answers.refusals import is_refusal, written_out
from monitor.evaluation.answers.scorers import token_f1
from monitor.evaluation.chains import compounding, gold_id
from monitor.model.policies import Policy
from monitor.probing.context_replay import ContextReplayResult
from tests.unit.probing import test_context_replay as scripted
from tests.unit.probing import test_grading as grading
from tests.unit.probing import test_traffic as traffic

PAGE = Path(__file__).resolve().parent.parent / "docs" / "answers.md"
START, END = "<!-- table of benchmarks.answer_defects -->", "<!-- end of the table -->"
NEW_GENERATOR = frozenset({Component.GENERATION})
NEW = NEW_GENERATOR | {Component.RETRIEVAL}


class Row(NamedTuple):
    """One defect."""

    defect: str
    truth: str
    before: str
    after: str


def caveats() -> Row:
    """Right answers with a caveat: formerly, a text with a clause that refuses was an abstention."""
    texts = [f"{query.answers[0]} days; the document does not mention exceptions." for query in scripted.QUERIES]
    references = [(f"{query.answers[0]} days",) for query in scripted.QUERIES]
    before = np.mean([not any(map(is_refusal, map(written_out, re.split(r"[.;]\s*", text)))) for text in texts])
    after = np.mean([not is_abstention(text, reference) for text, reference in zip(texts, references, strict=True)])
    assert all(token_f1(text, reference) > 0 for text, reference in zip(texts, references, strict=True))
    return Row("right answer with a caveat", "an answer", f"{before:.0%} answers", f"{after:.0%} answers")


def blame(name: str, truth: str, rags: Sequence[scripted.ScriptedRag], ranker: scripted.Ranker | None = None) -> Row:
    """A change with a known cause, attributed with the stored live score as the first cell, and as it is now."""
    old, new = rags
    before, after = (scripted.run_of(rag, ranker=ranker) for rag in (old, new))
    result = scripted.replayed(before, after, (new, after))
    return Row(name, truth, _former(before, after, new), _present(result))


def _former(before: scripted.Measured, after: scripted.Measured, new: scripted.ScriptedRag) -> str:
    """The former path: stored live score → the new generator with the old contexts → with the new contexts."""

    def contexts_of(run: scripted.Measured) -> list[list[str]]:
        ids = [
            each.reply.answer.doc_ids or each.ranking.doc_ids[: scripted.WINDOW]
            for each in run.run.outcomes
            if each.reply and each.reply.answer and each.ranking
        ]
        return [[scripted.TEXTS[doc_id] for doc_id in doc_ids] for doc_ids in ids]

    async def scores(run: scripted.Measured) -> list[float]:
        answers = [
            await new.answer(query.text, texts) for query, texts in zip(scripted.QUERIES, contexts_of(run), strict=True)
        ]
        return [
            0.0 if is_abstention(answer.text) else token_f1(answer.text, query.answers)
            for query, answer in zip(scripted.QUERIES, answers, strict=True)
        ]

    cells: dict[frozenset[Component], ArrayLike] = {
        frozenset[Component](): before.measurements["answer_f1"].values,
        NEW_GENERATOR: asyncio.run(scores(before)),
        NEW: asyncio.run(scores(after)),
    }
    found = shapley(cells, np.arange(len(scripted.QUERIES)) // 2)
    return _shares({str(each.name): each.difference for each in found.shares})


def _present(result: ContextReplayResult) -> str:
    if result.refusal:
        return "refused: the contexts are ignored"
    replayed = scripted.f1(result)
    if replayed.attribution is None:
        (bias,) = replayed.calibrations
        return f"refused: bias {100 * bias.bias:+.0f} points"
    return _shares(scripted.blame(result))


def _shares(shares: dict[str, float]) -> str:
    return ", ".join(f"{name} {100 * share + 0.0:+.0f}" for name, share in shares.items()).replace("-", "−")


def attributions() -> Iterator[Row]:
    """Every scripted service."""
    rag, always = scripted.ScriptedRag, {query.text: query.answers[0] for query in scripted.QUERIES}
    verbose: Callable[[int], bool] = lambda _: True  # noqa: E731 - the field of the scripted service
    same = rag(scripted.first, verbose=verbose)
    yield blame("two identical runs, another live prompt", "no cause", [same, same])
    cut = [rag(each, reads_live=200, reads_replayed=200) for each in (scripted.first, scripted.lowering)]
    yield blame("contexts are shortened, evidence moves down", "retrieval −30", cut)
    live_cut = [rag(each, reads_live=200) for each in (scripted.first, scripted.lowering)]
    yield blame("the same, and the replay does not shorten", "retrieval −30", live_cut)
    rewriting = [rag(each) for each in (scripted.first, scripted.losing)]
    yield blame("a query rewriter breaks, contexts unknown", "retrieval −30", rewriting, ranker=scripted.first)
    reporting = [rag(each, reports="texts") for each in (scripted.first, scripted.losing)]
    yield blame("a query rewriter breaks, contexts returned", "retrieval −30", reporting, ranker=scripted.first)
    cached = rag(scripted.losing, cache=always)
    yield blame("stored answers, live and in the replay", "no change", [rag(scripted.first), cached])
    live_cached = rag(scripted.losing, cache=always, is_replay_cached=False)
    yield blame("stored live answers", "no change", [rag(scripted.first), live_cached])


def chains() -> Row:
    """300 chains of three hops; each hop loses a tenth by itself, and a wrong answer loses the later hops."""
    rng, names = np.random.default_rng(3), [tuple(f"c{n}h{hop}" for hop in range(3)) for n in range(300)]
    gold = [gold_id(chain[hop]) for chain in names for hop in (1, 2)]
    before = dict.fromkeys([*(each for chain in names for each in chain), *gold], True)
    after: dict[str, bool] = {}
    for chain in names:
        own = rng.random(3) >= 0.1
        for hop, query_id in enumerate(chain):
            after[query_id] = bool(own[: hop + 1].all())
            if hop:
                after[gold_id(query_id)] = bool(own[hop])
    texts = []
    for is_gold in (False, True):
        runs = [{key: value for key, value in run.items() if is_gold or key not in gold} for run in (before, after)]
        found = compounding(names, *runs, rng=np.random.default_rng(1))
        texts.append(f"hop {found.hop_loss:.0%}, chain {found.chain_loss:.0%}, factor {found.factor:.1f}")
    return Row("300 chains of three hops, 10 % lost at each", "hop 10%, chain 27%, factor 2.7", *texts)


def judges() -> Row:
    """A judge that answers 429 for an hour: formerly, each request for an answer counted for the day."""
    clock = grading.Clock()
    judge = grading.ScriptedJudge(clock, refuses_until_s=3_600.0, retry_after_s=3_600.0)
    _, counted = grading.graded(judge, clock)
    n_answers = len(grading.QUERIES)
    return Row("a judge refuses (429)", "costs nothing", f"{n_answers} of the budget", f"{counted} of the budget")


def first_contact() -> Row:
    """A noisy target with a budget: formerly, 5 replays with answers and 24 of the rankings came on top of the run."""
    target = traffic.Target(is_noisy=True)
    retriever, answerer = traffic.clients(target, per_day=201)
    endpoints = traffic.Endpoints(retriever=retriever, depth=2, answerer=answerer)

    async def contact() -> None:
        await traffic.learn_noise(None, await traffic.run(endpoints), Policy(), endpoints)

    asyncio.run(contact())
    n_queries, policy = len(traffic.SUITE.queries), Policy()
    before = 2 * n_queries + 5 * 2 * n_queries + policy.replays * n_queries
    after = target.probes + target.answers
    return Row("first contact, 201 requests a day", "at most 201", f"{before:,} requests", f"{after:,} requests")


def table() -> str:
    """The table in Markdown."""
    rows = [caveats(), *attributions(), chains(), judges(), first_contact()]
    lines = ["| input | truth | before | after |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return re.sub(r"(\d)%", r"\1 %", "\n".join(lines))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.answer_defects")
    parser.add_argument("--write", action="store_true", help="put the table into docs/answers.md")
    written = table()
    if parser.parse_args().write:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
        _, _, after = rest.partition(END)
        PAGE.write_text(f"{before}{START}\n\n{written}\n\n{END}{after}", encoding="utf-8")
    sys.stdout.write(f"{written}\n")
