"""The command line: registers the commands, one module each. Heavy libraries are imported inside the commands."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Any, NoReturn

import typer
from typer.exceptions import TyperException

from monitor.cli import (
    audit_export,
    audit_verify,
    baseline_promote,
    baseline_show,
    check,
    compare,
    config_show,
    demo,
    deploy,
    diff,
    gate,
    incident_acknowledge,
    incident_dismiss,
    incident_list,
    incident_show,
    init,
    measures,
    migrate,
    notify_preview,
    notify_retry,
    notify_test,
    policy_explain,
    retention_run,
    routes_test,
    run,
    runs_import,
    runs_list,
    runs_pin,
    runs_show,
    runs_unpin,
    schema,
    serve,
    silence_add,
    silence_end,
    silence_list,
    suite_export,
    suite_generate,
    suite_import,
    suite_lint,
    suite_power,
    suite_review,
    suite_sample_log,
    suite_seed,
    token_create,
    token_list,
    token_revoke,
    verdicts_list,
    verdicts_recompute,
    verdicts_show,
    version,
)
from monitor.cli.examples import EXAMPLES
from monitor.cli.place import with_place
from monitor.cli.result import NOT_MEASURED, REFUSED
from monitor.errors import ComparisonError, ConfigError, MonitorError, SuiteError

Command = Callable[..., None]

COMMANDS: dict[str, Command] = {
    "init": init.init,
    "check": check.check,
    "serve": serve.serve,
    "run": run.run,
    "compare": compare.compare,
    "diff": diff.diff,
    "gate": gate.gate,
    "deploy": deploy.deploy,
    "measures": measures.measures,
    "migrate": migrate.migrate,
    "demo": demo.demo,
    "schema": schema.schema,
    "version": version.version,
}

GROUPS: dict[str, tuple[str, dict[str, Command]]] = {
    "baseline": (
        "The trusted runs that others are compared with.",
        {"show": baseline_show.baseline_show, "promote": baseline_promote.baseline_promote},
    ),
    "runs": (
        "Stored runs, and run files of other tools.",
        {
            "list": runs_list.runs_list,
            "show": runs_show.runs_show,
            "import": runs_import.runs_import,
            "pin": runs_pin.runs_pin,
            "unpin": runs_unpin.runs_unpin,
        },
    ),
    "verdicts": (
        "Stored verdicts.",
        {
            "list": verdicts_list.verdicts_list,
            "show": verdicts_show.verdicts_show,
            "recompute": verdicts_recompute.verdicts_recompute,
        },
    ),
    "policy": ("The rules from evidence to a verdict.", {"explain": policy_explain.policy_explain}),
    "notify": (
        "The notifiers that deliver alerts: test, preview, retry.",
        {
            "test": notify_test.notify_test,
            "preview": notify_preview.notify_preview,
            "retry": notify_retry.notify_retry,
        },
    ),
    "incident": (
        "Incidents: list, show, acknowledge, dismiss.",
        {
            "list": incident_list.incident_list,
            "show": incident_show.incident_show,
            "acknowledge": incident_acknowledge.incident_acknowledge,
            "ack": incident_acknowledge.incident_acknowledge,
            "dismiss": incident_dismiss.incident_dismiss,
        },
    ),
    "silence": (
        "Times without notifications: list, add, end.",
        {
            "list": silence_list.silence_list,
            "add": silence_add.silence_add,
            "end": silence_end.silence_end,
        },
    ),
    "routes": ("The notifiers that an alert goes to.", {"test": routes_test.routes_test}),
    "suite": (
        "Suites: import, export, generate, review, sample-log, lint, power, seed.",
        {
            "import": suite_import.suite_import,
            "export": suite_export.suite_export,
            "generate": suite_generate.suite_generate,
            "review": suite_review.suite_review,
            "sample-log": suite_sample_log.suite_sample_log,
            "lint": suite_lint.suite_lint,
            "power": suite_power.suite_power,
            "seed": suite_seed.suite_seed,
        },
    ),
    "audit": (
        "The audit log: verify, export.",
        {"verify": audit_verify.audit_verify, "export": audit_export.audit_export},
    ),
    "token": (
        "Tokens of the HTTP API: create, list, revoke.",
        {
            "create": token_create.token_create,
            "list": token_list.token_list,
            "revoke": token_revoke.token_revoke,
        },
    ),
    "retention": ("Old rankings and answers.", {"run": retention_run.retention_run}),
    "config": ("The configuration.", {"show": config_show.config_show}),
}


def _build_app() -> typer.Typer:
    options: dict[str, Any] = {"no_args_is_help": True}
    root = typer.Typer(
        name="recallwatch",
        help="Watches the retrieval quality of a production RAG and pages when a swap makes it worse.",
        epilog="Exit codes: 0 passed · 1 regressed or trade-off · 2 not comparable or configuration error "
        "· 3 could not measure · 4 inconclusive (gate only).",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        **options,
    )
    root.callback()(_root_options)
    for name, command in COMMANDS.items():
        root.command(name, epilog=_example(name))(with_place(command))
    for name, (summary, commands) in GROUPS.items():
        group = typer.Typer(help=summary, **options)
        for inner, command in commands.items():
            group.command(inner, epilog=_example(f"{name} {inner}"))(with_place(command))
        root.add_typer(group, name=name)
    return root


def _example(name: str) -> str | None:
    return f"Example: {EXAMPLES[name]}" if name in EXAMPLES else None


def _print_version(is_given: bool) -> None:
    if is_given:
        version.version()
        raise typer.Exit


def _root_options(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options before any command."""


app = _build_app()


def main() -> NoReturn:
    """Run the command line; each refusal is one line on standard error and an exit code."""
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
        if str(error):  # empty after the help of a group without a command
            typer.echo(f"recallwatch: {error}", err=True)
        sys.exit(REFUSED)
    sys.exit(exit_code or 0)


def _fail(error: MonitorError) -> NoReturn:
    typer.echo(f"recallwatch: {error}", err=True)
    sys.exit(REFUSED if isinstance(error, ConfigError | SuiteError | ComparisonError) else NOT_MEASURED)
