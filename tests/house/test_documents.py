"""The documents tell the truth about the code."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from monitor.cli.main import app
from tests.house.documents import DOCUMENTS, ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_that_is_written_from_the_code_equals_it(name: str) -> None:
    """README's glossary, the metrics and the configuration reference are what the code says."""
    assert (ROOT / name).read_text(encoding="utf-8") == DOCUMENTS[name](), "run `python -m tests.house.documents`"


def _commands() -> dict[str, set[str]]:
    """Each command with the options that it knows."""
    group: Any = typer.main.get_command(app)
    found: dict[str, set[str]] = {}
    for name, command in group.commands.items():
        for inner, each in (getattr(command, "commands", None) or {"": command}).items():
            options = {option for parameter in each.params for option in parameter.opts}
            found[f"{name} {inner}".strip()] = options | {"--help"}
    return found


@pytest.mark.parametrize("line", sorted(set(re.findall(r"^\$ recallwatch (.+)$", README, re.MULTILINE))))
def test_a_command_in_the_readme_exists_with_its_options(line: str) -> None:
    """Every `recallwatch …` line of the README names a command and options that exist."""
    commands = _commands()
    words = line.split()
    name = " ".join(words[:2]) if " ".join(words[:2]) in commands else words[0]
    assert name in commands, f"README names `recallwatch {name}`, which does not exist"
    assert set(re.findall(r"--[a-z-]+", line)) <= commands[name]


@pytest.mark.parametrize("target", sorted(set(re.findall(r"^\$ make (\w+)", README, re.MULTILINE))))
def test_a_make_target_in_the_readme_exists(target: str) -> None:
    """Every `make …` line of the README names a target of the Makefile."""
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize(
    "document",
    [
        "README.md",
        "CHANGELOG.md",
        ".github/CONTRIBUTING.md",
        ".github/SECURITY.md",
        "monitor/ARCHITECTURE.md",
        *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").rglob("*.md"))),
        *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "examples").rglob("*.md"))),
    ],
)
def test_a_link_to_a_file_leads_somewhere(document: str) -> None:
    """Every relative link of a document names a file that exists."""
    path = ROOT / document
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_every_module_is_on_the_map() -> None:
    """`monitor/ARCHITECTURE.md` names each module and package of the house."""
    text = (ROOT / "monitor" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    house = ROOT / "monitor"
    names = {path.stem for path in house.glob("*.py")} | {path.parent.name for path in house.glob("*/__init__.py")}
    assert {name for name in names - {"__init__"} if not re.search(rf"\b{name}\b", text)} == set()


def test_the_top_level_is_what_was_agreed() -> None:
    """Nothing but the agreed files and folders stands at the top."""
    agreed = {
        "pyproject.toml", "monitor", "probes", "dashboards", "migrations", "tests", "Dockerfile", "README.md",
        "LICENSE", "CHANGELOG.md", "Makefile", "docs", "benchmarks", "constraints.txt", "examples", "mkdocs.yml",
    }  # fmt: skip
    import subprocess

    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    tops = {Path(line).parts[0] for line in tracked.splitlines()}
    assert {top for top in tops if not top.startswith(".")} <= agreed
