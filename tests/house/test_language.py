"""Names and words: variables are nouns, docstrings use plain English, and no public function is without a caller."""

import ast
import re
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.house.test_house import CORE, PACKAGE, ROOT, SOURCES, Function, place, tree_of

VAGUE = frozenset(
    [
        "asked",
        "chosen",
        "each",
        "found",
        "given",
        "kept",
        "known",
        "looked",
        "made",
        "named",
        "noticed",
        "said",
        "seen",
        "shown",
        "stated",
        "taken",
        "told",
        "wanted",
    ]
)
DIALECT = re.compile(
    r"\b(told|tells?|said|says|anew|nobody|somebody|whoever|whom|heed\w*|mend\w*|lest|for want of|stands?|dear|lasts"
    r"|what (?:is|was|the|it|they|comes|came|stands)|, for (?:it|the|a|they|what))\b",
    re.IGNORECASE,
)
QUOTATIONS = re.compile(r"``[^`]*``|“[^”]*”|`[^`]*`|\"[^\"]*\"")
PUBLIC_INTERFACE = ("testing",)
"""Folders for plug-ins and their tests: nothing in monitor calls them."""


def vague_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Variables, parameters and public functions with vague names, outside comprehensions and lambdas."""
    in_comprehensions = {
        id(name) for node in ast.walk(tree) if isinstance(node, ast.comprehension) for name in ast.walk(node.target)
    }
    in_lambdas = {
        id(argument) for node in ast.walk(tree) if isinstance(node, ast.Lambda) for argument in ast.walk(node.args)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and id(node) not in in_comprehensions:
            name = node.id
        elif isinstance(node, ast.arg) and id(node) not in in_lambdas:
            name = node.arg
        elif isinstance(node, Function):
            name = node.name
        else:
            continue
        if name in VAGUE:
            yield node.lineno, name


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every docstring and every string below an attribute, without quotations."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, QUOTATIONS.sub("", node.value.value)


def used_names(tree: ast.Module) -> Iterator[str]:
    """Every name, attribute and ``module:name`` text of a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and ":" in node.value:
            yield node.value.rpartition(":")[2]


def public_definitions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Public functions, classes and methods without decorators, which may register them."""
    for node in tree.body:
        if not isinstance(node, Function | ast.ClassDef):
            continue
        members = node.body if isinstance(node, ast.ClassDef) else []
        for definition in (node, *(member for member in members if isinstance(member, Function))):
            if not definition.decorator_list and not definition.name.startswith("_"):
                yield definition


def test_the_rules_find_offenders() -> None:
    """Each rule can fail: a small module breaks them all, and an inoffensive one breaks none."""
    offending = ast.parse('def told(each):\n    """Says what it is told."""\n    for found in each:\n        pass\n')
    assert [name for _, name in vague_names(offending)] == ["told", "each", "found"]
    assert [DIALECT.findall(text) for _, text in docstrings(offending)] == [["Says", "what it", "told"]]
    plain = ast.parse(
        'def total(rows):\n    """Sum of the rows named “told”."""\n    return sum(each for each in rows)\n'
    )
    assert list(vague_names(plain)) == []
    assert [DIALECT.findall(text) for _, text in docstrings(plain)] == [[]]


def test_variables_are_nouns() -> None:
    """No variable, parameter or function is named by a bare participle or `each`, outside comprehensions."""
    offenders = [f"{place(path)}:{line} {name}" for path in SOURCES for line, name in vague_names(tree_of(path))]
    assert offenders == []


def test_docstrings_are_plain_english() -> None:
    """Docstrings have no archaic words, no verbs of speech for programs, and no “what is …” clauses."""
    offenders = [
        f"{place(path)}:{line} {DIALECT.findall(text)}"
        for path in SOURCES
        for line, text in docstrings(tree_of(path))
        if DIALECT.search(text)
    ]
    assert offenders == []


def test_every_public_function_has_a_caller() -> None:
    """Each public definition of `monitor` is used in `monitor`; code for tests or benchmarks alone is dead code."""
    used = Counter(name for path in SOURCES for name in used_names(tree_of(path)))
    offenders = [
        f"{place(path)}:{definition.lineno} {definition.name}"
        for path in SOURCES
        if path.relative_to(PACKAGE).parts[0] not in PUBLIC_INTERFACE
        for definition in public_definitions(tree_of(path))
        if not used[definition.name]
    ]
    assert offenders == []


def is_frozen_dataclass(decorator: ast.expr) -> bool:
    """Whether a decorator is ``dataclass(frozen=True, …)``."""
    return (
        isinstance(decorator, ast.Call)
        and isinstance(decorator.func, ast.Name)
        and decorator.func.id == "dataclass"
        and "frozen" in {keyword.arg for keyword in decorator.keywords}
    )


def test_large_frozen_dataclasses_are_keyword_only() -> None:
    """A frozen dataclass with five fields or more takes keywords, so that no call confuses two of them."""
    offenders = []
    for path in SOURCES:
        for node in ast.walk(tree_of(path)):
            if not isinstance(node, ast.ClassDef):
                continue
            n_fields = sum(isinstance(member, ast.AnnAssign) for member in node.body)
            calls = [each for each in node.decorator_list if is_frozen_dataclass(each)]
            keywords = {keyword.arg for call in calls if isinstance(call, ast.Call) for keyword in call.keywords}
            if calls and n_fields >= 5 and "kw_only" not in keywords:
                offenders.append(f"{place(path)}:{node.lineno} {node.name} has {n_fields} fields")
    assert offenders == []


def test_unit_tests_mirror_the_package() -> None:
    """Each folder of `tests/unit` is a folder of `monitor`, except those of the tools beside it."""
    unit = ROOT / "tests" / "unit"
    beside = {"benchmarks", "dashboards"}
    folders = {path.relative_to(unit) for path in unit.rglob("*") if path.is_dir() and path.name != "__pycache__"}
    strangers = [str(folder) for folder in folders if folder.parts[0] not in beside and not (PACKAGE / folder).is_dir()]
    assert strangers == []


@pytest.mark.parametrize("folder", sorted({path.relative_to(PACKAGE).parts[0] for path in CORE}))
def test_every_pure_folder_has_unit_tests(folder: str) -> None:
    """The core is tested without I/O, folder by folder; the nouns in `model` by the tests of all others."""
    assert folder == "model" or list((ROOT / "tests" / "unit" / folder).rglob("test_*.py"))
