"""What the commands do that make suites of a user's own corpus or query log."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.markup import escape

from monitor.cli.result import Result
from monitor.errors import ConfigError, SuiteError
from monitor.model.suites import Axis
from monitor.suites.formats.collection import hashed_id
from monitor.suites.formats.placement import placed_at, write_rows
from monitor.suites.generation import (
    assembly,
    corpus_queries,
    log_sampling,
    minimal_pairs,
    pair_suite,
    parse,
    query_log,
    questions,
    review,
)
from monitor.suites.generation.corpus_queries import Generated, Survey
from monitor.suites.reading import read_corpus, read_suite

KINDS = (*corpus_queries.ALL_KINDS, minimal_pairs.KIND)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be made of a corpus."""

    kinds: tuple[str, ...]
    count: int
    seed: int
    name: str = ""
    axis: str | None = None
    with_corpus: bool = True
    parser: str = parse.DEFAULT_MODEL


@dataclass(frozen=True, slots=True)
class Model:
    """The language model that writes questions, where one is wanted."""

    url: str
    name: str
    key_env: str
    budget: int
    cache: Path


async def generated(corpus: Path, folder: Path, wanted: Wanted, model: Model | None) -> Result:
    """Make a suite of a corpus."""
    _check_kinds(wanted, model)
    source = _corpus_folder(corpus)
    with placed_at(folder) as unfinished:
        if minimal_pairs.KIND in wanted.kinds:
            counts, refused = _write_pairs(
                source, unfinished, _head(corpus, folder, wanted, Axis.COMPOSITIONAL), wanted
            )
        else:
            made = await _queries(source, wanted, model)
            head = _head(corpus, folder, wanted, Axis.BROAD)
            file = source / "corpus.jsonl" if wanted.with_corpus else None
            assembly.write(unfinished, made.drafts, head, file)
            counts, refused = Counter(draft.kind for draft in made.drafts), made.refused
        if not counts:
            raise SuiteError(str(corpus), f"nothing could be made of it: {_reasons(refused) or 'it has no document'}")
        read_suite(unfinished)
    data = {"suite": str(folder), "corpus": str(corpus), "seed": wanted.seed}
    unit = "pairs" if minimal_pairs.KIND in wanted.kinds else "queries"
    shown: list[RenderableType] = [f"[green]✓[/] {escape(str(folder))}: {counts.total()} {unit}, not reviewed"]
    shown += [f"  {name}: {count}" for name, count in counts.items()]
    shown += [f"  refused {count:,}: {escape(reason)}" for reason, count in refused.most_common()]
    shown.append(f"  Next: fill in the column accept of {escape(str(folder / review.FILE))}")
    return Result(shown, {**data, unit: dict(counts), "refused": dict(refused)})


async def reviewed(folder: Path, destination: Path, accept: Path | None) -> Result:
    """Make the suite of the queries that a person accepted."""
    read_suite(folder)
    with placed_at(destination) as unfinished:
        n_accepted, n_rejected = review.keep_accepted(folder, accept or folder / review.FILE, unfinished)
        read_suite(unfinished)
    told = f"{n_accepted} queries accepted, {n_rejected} rejected"
    data = {"suite": str(destination), "accepted": n_accepted, "rejected": n_rejected}
    return Result([f"[green]✓[/] {escape(str(destination))}: {told}"], data)


async def log_sampled(log: Path, path: Path, columns: query_log.Columns, count: int, seed: int) -> Result:
    """Write a sample of a log of queries, without personal data."""
    with placed_at(path) as unfinished:
        done = log_sampling.sample(partial(query_log.read, log, columns), count, seed, _tell)
        if not done.queries:
            raise SuiteError(str(log), f"no query is left: {_reasons(done.dropped) or 'it has no line'}")
        write_rows(unfinished, map(_query_row, done.queries))
    strata = Counter(each.stratum for each in done.queries)
    dropped = +done.dropped
    data = {"path": str(path), "lines": done.n_lines, "queries": len(done.queries), "strata": dict(strata)}
    shown: list[RenderableType] = [
        f"[green]✓[/] {escape(str(path))}: {len(done.queries)} queries of {done.n_lines:,} lines"
    ]
    shown += [f"  {escape(name)}: {n_queries}" for name, n_queries in strata.items()]
    shown += [f"  scrubbed {n_found:,}: {kind}" for kind, n_found in done.scrubbed.most_common() if n_found]
    shown += [f"  dropped {n_lines:,}: {reason}" for reason, n_lines in dropped.most_common()]
    return Result(shown, {**data, "scrubbed": dict(+done.scrubbed), "dropped": dict(dropped)})


def _check_kinds(wanted: Wanted, model: Model | None) -> None:
    for kind in wanted.kinds:
        if kind not in KINDS:
            raise SuiteError("--kind", f"no kind is called {kind}; there are: {', '.join(KINDS)}")
    if minimal_pairs.KIND in wanted.kinds and len(wanted.kinds) > 1:
        raise SuiteError(
            "--kind", "minimal-pairs make a suite of their own, of the compositional axis; generate it apart"
        )
    if questions.KIND in wanted.kinds and model is None:
        raise SuiteError("--kind", "a language model writes questions: give --llm-url and --llm-model")


def _corpus_folder(corpus: Path) -> Path:
    folder = corpus.parent if corpus.name == "corpus.jsonl" else corpus
    if not os.path.lexists(folder / "corpus.jsonl"):
        raise SuiteError(str(corpus), "no such corpus; it is a folder with a corpus.jsonl, or that file")
    return folder


def _head(corpus: Path, folder: Path, wanted: Wanted, axis: Axis) -> dict[str, Any]:
    source = f"generated from {corpus.resolve().name}: {', '.join(wanted.kinds)}; seed {wanted.seed}"
    return {"name": wanted.name or folder.name, "version": "1", "axis": wanted.axis or str(axis), "source": source}


async def _queries(source: Path, wanted: Wanted, model: Model | None) -> Generated:
    survey = Survey(wanted.kinds, wanted.count, wanted.seed)
    survey.look_at(read_corpus(source), _tell)
    made = corpus_queries.generate(survey, (kind for kind in wanted.kinds if kind != questions.KIND), wanted.count)
    if model is not None and questions.KIND in wanted.kinds:
        await _ask(made, survey, wanted, model)
    return made


async def _ask(made: Generated, survey: Survey, wanted: Wanted, model: Model) -> None:
    from monitor.adapters.openai.question_writer import QuestionWriter

    writer = QuestionWriter(model.url, model.name, _key(model), budget=model.budget, cache=model.cache)
    taker = corpus_queries.Taker(made, questions.KIND, wanted.count)
    try:
        async with aclosing(questions.drafts(survey.drawn(questions.KIND), writer.ask, wanted.seed)) as drafts:
            async for draft in drafts:
                taker.take(draft)
                if taker.is_done:
                    break
    finally:
        await writer.close()
    _tell(f"{writer.n_asked} calls to the model, {writer.n_cached} answers from {model.cache}")


def _key(model: Model) -> str:
    if model.key_env and model.key_env not in os.environ:
        raise ConfigError("--llm-key-env", f"the environment variable {model.key_env} is not set")
    return os.environ.get(model.key_env, "")


def _write_pairs(
    source: Path, unfinished: Path, head: Mapping[str, Any], wanted: Wanted
) -> tuple[Counter[str], Counter[str]]:
    workshop = minimal_pairs.Workshop(parse.load(wanted.parser), wanted.count)
    workshop.work(minimal_pairs.drawn(read_corpus(source), wanted.count, wanted.seed), _tell)
    if workshop.pairs:
        pair_suite.write(unfinished, workshop.pairs, head)
    return Counter(pair.phenomenon for pair in workshop.pairs), workshop.refused


def _query_row(query: log_sampling.Sampled) -> dict[str, Any]:
    provenance = {"kind": "query-log", "times": query.times}
    metadata = {"stratum": query.stratum, "provenance": provenance}
    return {"_id": hashed_id("log-", query.text), "text": query.text, "metadata": metadata}


def _reasons(refused: Mapping[str, int]) -> str:
    return "; ".join(f"{count} {reason}" for reason, count in refused.items() if count)


def _tell(progress: str) -> None:
    sys.stderr.write(f"{progress}\n")
