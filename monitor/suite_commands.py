"""What the commands about suites do; `suite_cli.py` only says how they are called."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.markup import escape

from monitor import wiring
from monitor.commands import Answer
from monitor.errors import SuiteError
from monitor.model import Axis
from monitor.suites import formats
from monitor.suites.formats import beir
from monitor.suites.formats.collection import Collection, Destination, Format, Sources
from monitor.suites.formats.placement import placed_at
from monitor.suites.formats.trec_run import write_run
from monitor.suites.reading import read_suite


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the person who imports a suite says about it; empty is what the source says."""

    name: str = ""
    axis: str | None = None
    stratum: str = ""


async def imported(sources: Sources, folder: Path, format_name: str | None, wishes: Wishes) -> Answer:
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


async def exported(suite: str, path: Path, format_name: str, index: str) -> Answer:
    """Write a suite as another tool reads it."""
    known, folder = formats.find(format_name), wiring.suite_folder(suite)
    read_suite(folder)  # a suite that could not be probed is not handed on
    collection = beir.read(Sources(folder))
    with placed_at(path) as unfinished:
        left_out = known.write(collection, Destination(unfinished, index))
    data = {"format": known.name, "suite": suite, "path": str(path)}
    head = f"{path}: suite {collection.head['name']}, exported as {known.name}"
    return _answer(head, collection, data, {"left_out": left_out})


async def run_exported(config: Path, run_id: str, path: Path) -> Answer:
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
    return Answer(shown, {"run_id": run.run_id, "path": str(path), **counts})


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


def _answer(head: str, collection: Collection, data: dict[str, Any], parts: dict[str, Mapping[str, int]]) -> Answer:
    """The counts, and what did not come along."""
    counts = collection.counts()
    shown: list[RenderableType] = [f"[green]✓[/] {escape(head)}"]
    shown.append("  " + ", ".join(f"{count} {part}" for part, count in counts.items()))
    for name, reasons in parts.items():
        shown += [f"  {name.replace('_', ' ')}: {count} {escape(reason)}" for reason, count in reasons.items()]
    return Answer(shown, {**data, **counts, **parts})
