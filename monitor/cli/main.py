"""The command line. Everything heavy is imported inside the command that needs it."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer
from typer.exceptions import TyperException

from monitor.cli.incident import incident_app, routes_app
from monitor.cli.suite import suite_app
from monitor.cli.terminal import AsJson, ConfigPath, finish, perform
from monitor.config.init_template import DEFAULT_CONFIG, STARTER
from monitor.errors import ComparisonError, ConfigError, MonitorError, SuiteError

EXIT_PASSED, EXIT_REGRESSED, EXIT_REFUSED, EXIT_NOT_MEASURED = 0, 1, 2, 3

app = typer.Typer(
    name="recallwatch",
    help="Watches the retrieval quality of a production RAG and pages when a swap makes it worse.",
    epilog="Exit codes: 0 passed · 1 regressed or trade-off · 2 not comparable or configuration error "
    "· 3 could not measure.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
baseline_app = typer.Typer(help="The trusted runs that others are compared with.", no_args_is_help=True)
app.add_typer(baseline_app, name="baseline")
policy_app = typer.Typer(help="The rules that lead from evidence to a verdict.", no_args_is_help=True)
app.add_typer(policy_app, name="policy")
notify_app = typer.Typer(help="The notifiers that tell on-call.", no_args_is_help=True)
app.add_typer(notify_app, name="notify")
app.add_typer(incident_app, name="incident")
app.add_typer(routes_app, name="routes")
app.add_typer(suite_app, name="suite")


def main() -> NoReturn:
    """Run the command line; every refusal is one line on standard error and an exit code."""
    try:
        # Outside standalone mode an exit code is returned, not raised.
        exit_code = app(standalone_mode=False)
    except typer.Abort:
        sys.exit(130)
    except MonitorError as error:
        _fail(error)
    except KeyboardInterrupt:
        sys.exit(130)
    except TyperException as error:
        if str(error):  # the help of a command that lacks one says nothing more
            typer.echo(f"recallwatch: {error}", err=True)
        sys.exit(EXIT_REFUSED)
    sys.exit(exit_code or 0)


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="Where to write it.")] = DEFAULT_CONFIG,
    url: Annotated[str, typer.Option(help="Your retriever.")] = "http://127.0.0.1:8000/search",
) -> None:
    """Write a configuration to start from."""
    if path.exists():
        raise ConfigError(str(path), "exists already; nothing was written")
    path.write_text(STARTER.replace("@URL@", url), encoding="utf-8")
    typer.echo(f"Wrote {path}. Next: recallwatch check, then recallwatch serve.")


@app.command()
def check(config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Check the configuration and the suites, and probe each target once."""
    from monitor.cli import check

    finish(perform(check.check(config)), as_json)


@app.command()
def serve(config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Run the daemon: schedules, alerts, metrics."""
    from monitor.cli import runs

    perform(runs.serve(config), log_level=logging.INFO)


@app.command()
def run(
    target: Annotated[str, typer.Option(help="A target of the configuration, or the URL of a retriever.")],
    suite: Annotated[list[str], typer.Option(help="A suite of the configuration, or a folder. Repeatable.")],
    config: ConfigPath = DEFAULT_CONFIG,
    policy: Annotated[str, typer.Option(help="A policy of the configuration.")] = "default",
    as_json: AsJson = False,
) -> None:
    """Replay suites against a target now, and judge the result against the baseline."""
    from monitor.cli import runs

    finish(perform(runs.run(config, target, tuple(suite), policy)), as_json)


@app.command()
def compare(
    runs: Annotated[list[str] | None, typer.Argument(help="Run ids: of the baseline, then of the candidate.")] = None,
    baseline: Annotated[str | None, typer.Option(help="Instead of runs: the live target to compare with.")] = None,
    candidate: Annotated[str | None, typer.Option(help="The live target that may take its place.")] = None,
    suite: Annotated[list[str] | None, typer.Option(help="What both are asked, side by side. Repeatable.")] = None,
    attribution: Annotated[
        bool, typer.Option(help="Replay contexts, where the answerer takes them, to share out an answer drop.")
    ] = False,
    config: ConfigPath = DEFAULT_CONFIG,
    policy: Annotated[str, typer.Option(help="A policy of the configuration.")] = "default",
    as_json: AsJson = False,
) -> None:
    """Compare two stored runs of one suite, or two live targets side by side."""
    from monitor.cli import compare

    work = compare.compare(config, runs or [], (baseline, candidate), tuple(suite or ()), policy, attribution)
    finish(perform(work), as_json)


@baseline_app.command("show")
def baseline_show(config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show the baselines that hold, and the latest runs."""
    from monitor.cli import runs

    finish(perform(runs.show_baselines(config)), as_json)


@baseline_app.command("promote")
def baseline_promote(
    reason: Annotated[str, typer.Option(help="Why this run is to be trusted.")],
    by: Annotated[str, typer.Option(help="Who says so.", envvar="USER")],
    run_id: Annotated[str | None, typer.Argument(help="The run; without it, the latest of --target.")] = None,
    target: Annotated[str | None, typer.Option(help="Promote the latest run of each suite of this target.")] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Make a run the baseline of its target and suite."""
    from monitor.cli import runs

    if (run_id is None) == (target is None):
        raise ConfigError("baseline promote", "give either a run id or --target")
    finish(perform(runs.promote(config, run_id, target, by, reason)), as_json)


@app.command()
def deploy(
    name: Annotated[str, typer.Argument(help="What the target serves from now on, such as a model's version.")],
    target: Annotated[str, typer.Option(help="A target of the configuration.")],
    by: Annotated[str, typer.Option(help="Who says so.", envvar="USER")],
    detail: Annotated[list[str] | None, typer.Option(help="What else is known, as KEY=VALUE. Repeatable.")] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Say what a target serves from now on; a running daemon probes and judges it at once."""
    from monitor.cli import deploy

    finish(perform(deploy.deploy(config, target, name, by, detail or [])), as_json)


@notify_app.command("test")
def notify_test(
    name: Annotated[str, typer.Argument(help="A notifier of the configuration.")],
    state: Annotated[Literal["firing", "resolved"], typer.Option(help="Which message; one ends the other.")] = "firing",
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Send one alert, marked as a test, through a notifier now."""
    from monitor.cli import notify_test

    finish(perform(notify_test.hold(config, name, state)), as_json)


@policy_app.command("explain")
def policy_explain(
    name: Annotated[str, typer.Argument(help="A policy of the configuration.")] = "default",
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Say in plain words what would page and what would not, and the smallest drops that would be seen."""
    from monitor.cli import policy_explain

    finish(perform(policy_explain.explain(config, name)), as_json)


@app.command()
def migrate(config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Bring the schema of the database up to date."""
    from monitor.cli import runs

    perform(runs.migrate(config))
    typer.echo("The schema is current.")


@app.command()
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running and print the URLs.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the whole story on this machine: a model is swapped, the drop is measured, on-call is told."""
    from monitor.demo.story import tell

    raise typer.Exit(perform(tell(keep=keep, as_json=as_json)))


@app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration."""
    import json

    from monitor.service.json_schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))


@app.command()
def version() -> None:
    """Print the version."""
    from monitor import __version__

    typer.echo(__version__)


def _fail(error: MonitorError) -> NoReturn:
    typer.echo(f"recallwatch: {error}", err=True)
    refused = isinstance(error, ConfigError | SuiteError | ComparisonError)
    sys.exit(EXIT_REFUSED if refused else EXIT_NOT_MEASURED)
