"""The house rules: sizes, names, what importing may do, and that documentation and code agree."""

import ast
import doctest
import importlib
import inspect
import json
import pkgutil
import re
import statistics
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import monitor
from monitor import errors

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "monitor"
SOURCES = sorted(PACKAGE.rglob("*.py"))
MODULES = sorted(
    found.name
    for found in pkgutil.walk_packages(monitor.__path__, "monitor.")
    if found.name.split(".")[-1] != "__main__" and found.name.split(".")[1] not in ("probes", "migrations")
)
CORE = [
    path
    for path in SOURCES
    if path.relative_to(PACKAGE).parts[0] in ("model", "evaluation", "statistics", "diagnosis", "decision", "incidents")
]
BANNED = {"utils", "util", "helpers", "helper", "common", "misc", "base", "core", "manager", "handler"}
LONGEST_FUNCTION, MEDIAN_FUNCTION, LONGEST_MODULE = 50, 10, 300

Function = ast.FunctionDef | ast.AsyncFunctionDef


def place(path: Path) -> str:
    """The path as a reader would write it."""
    return str(path.relative_to(ROOT))


@cache
def tree_of(path: Path) -> ast.Module:
    """The parsed file."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def functions(path: Path) -> tuple[Function, ...]:
    """Every function and method of a file, nested ones included."""
    return tuple(node for node in ast.walk(tree_of(path)) if isinstance(node, Function))


def length(function: Function) -> int:
    """Lines from `def` to the last statement."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def test_the_rules_look_at_the_whole_package():
    """The lists that these tests go through are not empty by accident."""
    assert len(SOURCES) > 40
    assert {"monitor.cli.main", "monitor.cycle", "monitor.adapters.retrievers.http.retriever"} <= set(MODULES)
    assert len(CORE) > 8


def test_no_function_is_longer_than_fifty_lines():
    """A function fits on a screen."""
    long = [
        f"{place(path)}:{each.lineno} {each.name} has {length(each)} lines"
        for path in SOURCES
        for each in functions(path)
        if length(each) > LONGEST_FUNCTION
    ]
    assert long == []


def test_most_functions_are_short():
    """Half of all functions have ten lines or fewer."""
    assert statistics.median(length(each) for path in SOURCES for each in functions(path)) <= MEDIAN_FUNCTION


def test_no_module_is_longer_than_three_hundred_lines():
    """A module that grows longer has something inside it with a name of its own."""
    sizes = {place(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {name: size for name, size in sizes.items() if size > LONGEST_MODULE} == {}


def test_no_module_is_named_after_nothing():
    """Modules are named by what they hold, never utils, helpers or core."""
    named = {part.removesuffix(".py") for path in SOURCES for part in path.relative_to(PACKAGE).parts}
    assert named & BANNED == set()


IMPORT_EVERYTHING = """
import importlib, json, sys

found = []
OPENING = {
    "socket.connect", "socket.bind", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.exec",
    "os.posix_spawn", "os.fork", "os.mkdir", "os.remove", "os.rename", "sqlite3.connect",
}

def look(event, arguments):
    is_writing = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
    if event in OPENING or is_writing:
        frame, ours = sys._getframe(1), None
        while frame is not None and ours is None:
            name = frame.f_globals.get("__name__", "")
            ours = name if name.startswith("monitor") else None
            frame = frame.f_back
        found.append(f"{ours}: {event} {arguments!r:.200}")

sys.addaudithook(look)
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)

import prometheus_client, threading
families = sorted(each.name for each in prometheus_client.REGISTRY.collect())
threads = [each.name for each in threading.enumerate() if each is not threading.main_thread()]
print(json.dumps({"opened": found, "families": families, "threads": threads}))
"""


def in_a_fresh_process(program: str, *arguments: str) -> dict[str, object]:
    """What a program prints as JSON, run by itself."""
    done = subprocess.run(
        [sys.executable, "-B", "-W", "ignore", "-c", program, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.slow
def test_importing_opens_nothing_and_registers_nothing():
    """No import of ours connects, listens, writes a file, starts a process or a thread, or adds a metric."""
    bare = in_a_fresh_process(IMPORT_EVERYTHING, "[]")
    ours = in_a_fresh_process(IMPORT_EVERYTHING, json.dumps(MODULES))
    assert ours["opened"] == []
    assert ours["threads"] == []
    assert ours["families"] == bare["families"]


def test_the_command_line_starts_without_the_heavy_libraries():
    """`recallwatch --help` waits for no library that only some commands need."""
    heavy = ["torch", "scipy", "sqlalchemy", "numpy", "faiss", "sentence_transformers", "aiohttp", "httpx", "psycopg"]
    program = (
        "import json, sys, monitor.cli.main\n"
        "print(json.dumps({'loaded': sorted(set(sys.argv[1:]) & set(sys.modules))}))"
    )
    assert in_a_fresh_process(program, *heavy)["loaded"] == []


def test_a_command_that_reads_the_store_starts_without_the_libraries_of_models_and_tests():
    """`baseline show`, `runs list`, `serve` and others import no model, and of SciPy its special functions alone."""
    heavy = ["torch", "faiss", "sentence_transformers", "scipy.stats", "scipy.optimize", "scipy.spatial", "aiohttp"]
    program = (
        "import json, sys, monitor.service.wiring, monitor.cli.url_targets, monitor.reports.terminal\n"
        "print(json.dumps({'loaded': sorted(set(sys.argv[1:]) & set(sys.modules))}))"
    )
    assert in_a_fresh_process(program, *heavy)["loaded"] == []


def test_naming_an_adapter_imports_none():
    """The registry knows adapters as text: listing them loads no adapter and none of its libraries."""
    program = (
        "import json, sys\nfrom monitor.adapters import registry\n"
        "names = [registry.names(port) for port in registry.BUILT_IN]\n"
        "print(json.dumps({'loaded': sorted(set(sys.argv[1:]) & set(sys.modules))}))"
    )
    modules = [
        "monitor.adapters.retrievers.http.retriever",
        "monitor.adapters.notifiers.webhook",
        "torch",
        "httpx",
        "aiohttp",
    ]
    assert in_a_fresh_process(program, *modules)["loaded"] == []


def _undocumented(body: list[ast.stmt], where: str) -> Iterator[str]:
    for node in body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            if ast.get_docstring(node) is None:
                yield f"{where}:{node.lineno} {node.name}"
            if isinstance(node, ast.ClassDef):
                yield from _undocumented(node.body, where)


def test_everything_public_in_the_core_says_what_it_computes():
    """Each public function, class and method of evaluation and decision has a docstring."""
    missing = [each for path in CORE for each in _undocumented(tree_of(path).body, place(path))]
    assert missing == []


def test_every_module_says_what_it_is_for():
    """A reader who opens any file is told first what is in it."""
    silent = [place(path) for path in SOURCES if not ast.get_docstring(tree_of(path))]
    assert silent == []


WITH_EXAMPLES = [
    name
    for name in MODULES
    if name == "monitor.service.schedule"
    or name.startswith(("monitor.evaluation.", "monitor.statistics.", "monitor.diagnosis.", "monitor.decision."))
]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_in_docstrings_are_right(name):
    """What a docstring shows is what the code gives."""
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples():
    """The core shows a person what to check by hand."""
    found = doctest.DocTestFinder(exclude_empty=True)
    shown = [
        each for name in WITH_EXAMPLES for each in found.find(importlib.import_module(name), name) if each.examples
    ]
    assert len(shown) >= 10


def test_the_error_tree_names_every_error():
    """The tree that is drawn in the docstring is the tree of the code, with the same parents."""
    drawn = _drawn_tree(errors.__doc__ or "")
    real = {
        name: _public_parent(each)
        for name, each in inspect.getmembers(errors, inspect.isclass)
        if issubclass(each, errors.MonitorError) and not name.startswith("_")
    }
    assert drawn == real
    assert "`Reason`" in (errors.__doc__ or "")


def _public_parent(kind: type[BaseException]) -> str | None:
    parents = [each for each in kind.__mro__[1:] if not each.__name__.startswith("_")]
    return parents[0].__name__ if issubclass(parents[0], errors.MonitorError) else None


def _drawn_tree(text: str) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    above: dict[int, str] = {}
    for line in text.splitlines():
        match = re.match(r"\s+((?:[│ ]*[├└]──\s)?)(\w+Error)\b", line)
        if match:
            depth = match.start(2)
            parents = [name for level, name in sorted(above.items()) if level < depth]
            found[match[2]] = parents[-1] if parents else None
            above = {level: name for level, name in above.items() if level < depth} | {depth: match[2]}
    return found


def test_every_rule_that_is_switched_off_has_a_reason():
    """Each entry of ruff's ignore lists says why, on its own line."""
    section, silent = "", []
    for number, line in enumerate((ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("["):
            section = line
        is_ignored = section == "[tool.ruff.lint.per-file-ignores]" or (
            section == "[tool.ruff.lint]" and not line.startswith("select")
        )
        if is_ignored and re.search(r'"[A-Z]{1,4}\d*"', line) and not re.search(r"#\s*\w.{3,}", line):
            silent.append(f"pyproject.toml:{number} {line.strip()}")
    assert silent == []


def comments(path: Path) -> Iterator[tuple[int, str]]:
    """Every comment of a file with its line."""
    with tokenize.open(path) as file:
        for token in tokenize.generate_tokens(file.readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string


def test_every_exception_to_a_rule_has_a_reason():
    """Each `noqa` and `type: ignore` names the rule it breaks and says why."""
    shapes = (
        ("noqa", re.compile(r"# noqa: [A-Z]+\d+(, ?[A-Z]+\d+)* - \w.+")),
        ("type: ignore", re.compile(r"# type: ignore\[[\w-]+(, ?[\w-]+)*\]\s+# \w.+")),
    )
    silent = [
        f"{place(path)}:{number} {comment}"
        for path in SOURCES
        for number, comment in comments(path)
        for word, shape in shapes
        if word in comment and not shape.search(comment)
    ]
    assert silent == []


def test_nothing_but_the_agreed_stands_at_the_top():
    """The top level of the repository is a card that a newcomer can read at a glance."""
    agreed = {
        "pyproject.toml", "monitor", "probes", "dashboards", "migrations", "tests", "Dockerfile", "README.md",
        "LICENSE", "CHANGELOG.md", "Makefile", "docs", "benchmarks", "constraints.txt", "examples", "mkdocs.yml",
    }  # fmt: skip
    made_by_tools = {
        "build",
        "site",
        "dist",
        "recallwatch-data",
        "recallwatch.yaml",
        "recallwatch.egg-info",
        "__pycache__",
    }
    top = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert top - agreed - made_by_tools == set()


def test_migrations_follow_one_another() -> None:
    """Each migration has its number in its file's name and follows the one before: there is one head."""
    files = sorted((ROOT / "migrations" / "versions").glob("[0-9]*.py"))
    links = [re.findall(r'^(?:down_)?revision.* = (?:"(\d+)"|None)$', path.read_text(), re.MULTILINE) for path in files]
    assert links == [[f"{n:04d}", f"{n - 1:04d}" if n > 1 else ""] for n in range(1, len(files) + 1)]
    assert [path.name[:4] for path in files] == [f"{n:04d}" for n in range(1, len(files) + 1)]
