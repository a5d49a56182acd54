"""What the commands about suites do; `suite_cli.py` only says how they are called."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.markup import escape

from monitor.cli.result import Result
from monitor.errors import ConfigError, SuiteError
from monitor.model.suites import Axis
from monitor.ports.targets import Seedable
from monitor.reports.terminal import plain
from monitor.service import wiring
from monitor.suites import formats, locating
from monitor.suites.formats import beir
from monitor.suites.formats.collection import Collection, Destination, Format, Sources
from monitor.suites.formats.placement import placed_at
from monitor.suites.formats.trec_run import write_run
from monitor.suites.generation.review import unreviewed
from monitor.suites.linting import Finding, Severity, lint
from monitor.suites.reading import has_corpus, read_corpus, read_suite

SHOWN = 20
"""Findings of one rule that people are shown."""

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the person who imports a suite says about it; empty is what the source says."""

    name: str = ""
    axis: str | None = None
    stratum: str = ""


async def imported(sources: Sources, folder: Path, format_name: str | None, wishes: Wishes) -> Result:
    """Make a suite of what another tool wrote."""
    known = formats.find(format_name) if format_name else formats.guess(sources.source)
    _refuse_needless_sources(known, sources)
    collection = _as_wished(known.read(sources), known, sources.source, folder, wishes)
    with placed_at(folder) as unfinished:
        beir.write(collection, Destination(unfinished))
        _check(unfinished, sources.source)
    data = {"format": known.name, "guessed": format_name is None, "source": str(sources.source), "suite": str(folder)}
    head = f"{folder}: suite {collection.head['name']}, imported from {sources.source} ({_told(known, format_name)})"
    return _answer(head, collection, data, {"skipped": collection.skipped})


async def exported(suite: str, path: Path, format_name: str, index: str) -> Result:
    """Write a suite as another tool reads it."""
    known, folder = formats.find(format_name), locating.suite_folder(suite)
    read_suite(folder)  # a suite that could not be probed is not handed on
    collection = beir.read(Sources(folder))
    with placed_at(path) as unfinished:
        left_out = known.write(collection, Destination(unfinished, index))
    data = {"format": known.name, "suite": suite, "path": str(path)}
    head = f"{path}: suite {collection.head['name']}, exported as {known.name}"
    return _answer(head, collection, data, {"left_out": left_out})


async def run_exported(config: Path, run_id: str, path: Path) -> Result:
    """Write the rankings of a stored run as TREC has them."""
    async with wiring.open_store(wiring.load(config).config) as store:
        run = await store.load_run(run_id)
    write_run(run.outcomes, path, tag=run.run_id)
    counts = {
        "queries": sum(outcome.ranking is not None for outcome in run.outcomes),
        "hits": sum(len(outcome.ranking.doc_ids) for outcome in run.outcomes if outcome.ranking),
        "failures": sum(outcome.failure is not None for outcome in run.outcomes),
    }
    told = ", ".join(f"{count} {part}" for part, count in counts.items())
    shown: list[RenderableType] = [f"[green]✓[/] {escape(str(path))}: run {run.run_id}, {told}"]
    return Result(shown, {"run_id": run.run_id, "path": str(path), **counts})


async def linted(folders: Sequence[str]) -> Result:
    """What is wrong with suites."""
    shown: list[RenderableType] = []
    data: list[dict[str, Any]] = []
    for folder in map(locating.suite_folder, folders):
        suite = read_suite(folder)
        found = [*unreviewed(folder), *lint(suite, partial(read_corpus, folder) if has_corpus(folder) else None)]
        counts = {f"{severity}s": sum(each.severity is severity for each in found) for severity in Severity}
        shown += _findings_shown(str(folder), found, counts)
        data.append({"suite": suite.name, "folder": str(folder), **counts, "findings": [plain(each) for each in found]})
    return Result(shown, {"suites": data}, 1 if any(each["errors"] for each in data) else 0)


def _findings_shown(folder: str, found: Sequence[Finding], counts: Mapping[str, int]) -> Iterator[RenderableType]:
    """The findings, but of a rule that finds much only the first: the rest is in ``--json``."""
    colour = "red" if counts["errors"] else "yellow" if counts["warnings"] else "green"
    told = ", ".join(f"{count} {name.removesuffix('s') if count == 1 else name}" for name, count in counts.items())
    yield f"[{colour}]{'✗' if counts['errors'] else '✓'}[/] {escape(folder)}: {told}"
    by_rule: dict[str, list[Finding]] = {}
    for each in found:
        by_rule.setdefault(each.rule, []).append(each)
    for rule, findings in by_rule.items():
        for each in findings[:SHOWN]:
            colour = _COLOURS[each.severity]
            told = escape(f"{each.where} {each.text}; {each.remedy}")
            yield f"  [{colour}]{each.severity}[/] {rule}  {told}"
        if len(findings) > SHOWN:
            yield f"  … and {len(findings) - SHOWN:,} more of {rule}; --json has them all"


async def seeded(config: Path, suite: str, target: str, *, remove: bool) -> Result:
    """Write a suite's own documents into a namespace of a live target, or remove that namespace."""
    parts = wiring.load(config)
    if target not in parts.retrievers:
        listed = ", ".join(parts.retrievers) or "none"
        raise ConfigError("targets", f"no target is called {target}; there are: {listed}")
    source = parts.config.suites.get(suite)
    folder = locating.suite_folder(source.path if source else suite)
    read_suite(folder)  # nothing is written for a suite that could not be probed
    if not has_corpus(folder):
        raise SuiteError(str(folder), "brings no corpus.jsonl: there is nothing to write")
    documents = [{"id": each.doc_id, "title": each.title, "text": each.text} for each in read_corpus(folder)]
    await _seed(parts.retrievers[target].build(), documents, target, remove=remove)
    done = "the namespace is removed" if remove else f"{len(documents):,} documents of {suite} are written"
    data = {"target": target, "suite": suite, "removed": remove, "documents": 0 if remove else len(documents)}
    return Result([f"[green]✓[/] {escape(target)}: {escape(done)}"], data)


async def _seed(retriever: Any, documents: Sequence[Mapping[str, str]], target: str, *, remove: bool) -> None:
    where = f"targets.{target}.retriever"
    if not isinstance(retriever, Seedable):
        raise ConfigError(f"{where}.kind", "this kind of retriever takes no documents; seed an http target")
    try:
        await (retriever.unseed() if remove else retriever.seed(documents))
    except ConfigError as error:  # from an adapter, which does not know what it stands below
        raise ConfigError(f"{where}.{error.where}", error.problem) from error
    finally:
        await retriever.close()


def _refuse_needless_sources(known: Format, sources: Sources) -> None:
    if sources.qrels and not known.takes_qrels:
        raise SuiteError("--qrels", f"the format {known.name} brings its judgements itself")
    if sources.corpus and not known.takes_corpus:
        raise SuiteError("--corpus", f"the format {known.name} brings its documents itself")


def _as_wished(collection: Collection, known: Format, source: Path, folder: Path, wishes: Wishes) -> Collection:
    stated = dict(collection.head) or {"name": folder.name, "version": "1", "source": f"{known.name}: {source.name}"}
    if wishes.name:
        stated["name"] = wishes.name
    stated["axis"] = str(wishes.axis or stated.get("axis", Axis.BROAD))
    topics = tuple(replace(topic, stratum=topic.stratum or wishes.stratum) for topic in collection.topics)
    return replace(collection, topics=topics, head=stated)


def _check(unfinished: Path, source: Path) -> None:
    """What was written must be a suite; otherwise the place of the mistake is the source."""
    try:
        read_suite(unfinished)
    except SuiteError as error:
        file = os.path.relpath(error.where, unfinished)
        raise SuiteError(str(source), f"cannot become a suite: {file}: {error.problem}") from error


def _told(known: Format, format_name: str | None) -> str:
    return known.name if format_name else f"{known.name}, as its content tells"


def _answer(head: str, collection: Collection, data: dict[str, Any], parts: dict[str, Mapping[str, int]]) -> Result:
    """The counts, and what did not come along."""
    counts = collection.counts()
    shown: list[RenderableType] = [f"[green]✓[/] {escape(head)}"]
    shown.append("  " + ", ".join(f"{count} {part}" for part, count in counts.items()))
    for name, reasons in parts.items():
        shown += [f"  {name.replace('_', ' ')}: {count} {escape(reason)}" for reason, count in reasons.items()]
    return Result(shown, {**data, **counts, **parts})
