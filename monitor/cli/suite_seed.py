"""`recallwatch suite seed`: write a suite's documents into a namespace of a live target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.result import Result
from monitor.cli.terminal import DEFAULT_CONFIG, AsJson, ConfigPath, finish, perform
from monitor.errors import ConfigError, SuiteError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def suite_seed(
    suite: Annotated[str, typer.Argument(help="A suite of the configuration, a folder, or a builtin: suite.")],
    target: Annotated[str, typer.Option(help="A target of the configuration that has a seed section.")],
    remove: Annotated[bool, typer.Option("--remove", help="Remove the documents again.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Write a suite's own documents into a namespace of a live target, or remove that namespace."""
    if not yes:
        action = "Remove the namespace of the documents" if remove else "Write the documents"
        typer.confirm(f"{action} of {suite} {'from' if remove else 'to'} {target}?", abort=True, err=True)
    finish(perform(seed_suite(config, suite, target, remove=remove)), as_json)


async def seed_suite(config: Path, suite: str, target: str, *, remove: bool) -> Result:
    """Write a suite's own documents into a namespace of a live target, or remove that namespace."""
    from rich.markup import escape

    from monitor.service import wiring
    from monitor.suites import locating
    from monitor.suites.reading import has_corpus, read_corpus, read_suite

    checked = wiring.load(config)
    wiring.require_target(checked, target)
    source = checked.config.suites.get(suite)
    folder = locating.suite_folder(source.path if source else suite)
    read_suite(folder)  # a suite with an error is not written
    if not has_corpus(folder):
        raise SuiteError(str(folder), "has no corpus.jsonl: there is nothing to write")
    documents = [{"id": each.doc_id, "title": each.title, "text": each.text} for each in read_corpus(folder)]
    await _seed(checked.retrievers[target].build(), documents, target, remove=remove)
    done = "removed the namespace" if remove else f"wrote {len(documents):,} documents of {suite}"
    data = {"target": target, "suite": suite, "removed": remove, "documents": 0 if remove else len(documents)}
    return Result([f"[green]✓[/] {escape(target)}: {escape(done)}"], data)


async def _seed(retriever: Any, documents: Sequence[Mapping[str, str]], target: str, *, remove: bool) -> None:
    from monitor.ports.targets import Seedable

    where = f"targets.{target}.retriever"
    if not isinstance(retriever, Seedable):
        raise ConfigError(f"{where}.kind", "this kind of retriever takes no documents; seed an http target")
    try:
        await (retriever.unseed() if remove else retriever.seed(documents))
    except ConfigError as error:  # the adapter does not know the keys above its own
        raise ConfigError(f"{where}.{error.where}", error.problem) from error
    finally:
        await retriever.close()
