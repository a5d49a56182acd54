"""The command line as a whole: one module per command, help everywhere, completion, old names kept."""

import ast
import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from monitor import __version__
from monitor.cli.examples import EXAMPLES
from monitor.cli.main import COMMANDS, GROUPS, app

SHIPPED = (
    "init", "check", "serve", "run", "compare", "deploy", "migrate", "demo", "schema", "version",
    "baseline show", "baseline promote", "policy explain", "notify test", "routes test",
    "incident list", "incident show", "incident ack", "incident dismiss",
    "suite import", "suite export", "suite lint", "suite power", "suite seed", "suite generate", "suite review",
    "suite sample-log",
)  # fmt: skip
ALL = dict(COMMANDS) | {
    f"{group} {name}": command for group, (_, commands) in GROUPS.items() for name, command in commands.items()
}
runner = CliRunner()


@pytest.mark.parametrize("name", SHIPPED)
def test_a_command_that_has_shipped_is_still_there(name: str):
    """Scripts of users keep working."""
    assert name in ALL


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_command_explains_itself(name: str, option: str):
    """Both help options print the first line of the command's docstring and exit with 0."""
    result = runner.invoke(app, [*name.split(), option], env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"})
    assert result.exit_code == 0
    first_sentence = (ALL[name].__doc__ or "").split(". ")[0].rstrip(".")
    assert first_sentence
    assert first_sentence in " ".join(re.sub(r"[│╭╮╰╯─]", " ", result.output).split())


def test_each_command_is_a_module_of_its_own():
    """No module declares two commands."""
    modules = [command.__module__ for command in {*ALL.values()}]  # an old name is the same command
    assert len(set(modules)) == len(modules)


def test_reading_commands_print_json():
    """Every command that prints a result takes --json; the others print text, files or nothing."""
    without = {"init", "serve", "migrate", "schema", "version"}
    group = typer.main.get_command(app)
    for name in ALL:
        command = group
        for word in name.split():
            command = command.commands[word]
        options = {option for parameter in command.params for option in parameter.opts}
        assert ("--json" in options) is (name not in without), name


def test_the_version_is_an_option_and_a_command():
    """`--version` and `version` print the same."""
    option, command = runner.invoke(app, ["--version"]), runner.invoke(app, ["version"])
    assert option.output == command.output == f"{__version__}\n"
    assert (option.exit_code, command.exit_code) == (0, 0)


def test_shells_complete_commands():
    """Completion is on: a shell that asks for the words after `recallwatch ver` gets them."""
    environment = {"_RECALLWATCH_COMPLETE": "complete_bash", "COMP_WORDS": "recallwatch ver", "COMP_CWORD": "1"}
    result = runner.invoke(app, [], env=environment, prog_name="recallwatch")
    assert set(result.output.split()) == {"verdicts", "version"}
    assert "--install-completion" in runner.invoke(app, ["--help"]).output


def test_command_modules_import_heavy_libraries_only_inside_functions():
    """At the top level a command module imports only small modules, so that `--help` stays fast."""
    light = ("__future__", "monitor.cli.", "monitor.config.init_template", "monitor.errors")
    for command in ALL.values():
        path = Path(command.__globals__["__file__"])
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("monitor"):
                assert str(node.module).startswith(light), f"{path.name}: {node.module}"


def test_every_command_has_an_example():
    """Help ends with a line to copy."""
    assert set(EXAMPLES) == set(ALL)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_a_valid_call(name: str):
    """The parser accepts every example; a wrong option or a missing argument would be refused."""
    words = shlex.split(EXAMPLES[name].partition(" > ")[0])[1:]
    group, *inner = name.split()
    assert words[: 1 + len(inner)] == name.split()
    command = typer.main.get_command(app)
    for word in (group, *inner):
        command = command.commands[word]  # type: ignore[attr-defined]
    context = command.make_context(name, words[1 + len(inner) :], resilient_parsing=False)
    assert not context.args
