"""The registry of measures is the only place that names them."""

import ast
from collections.abc import Iterator
from pathlib import Path

from monitor.errors import ComparisonError
from monitor.evaluation.measures import MEASURES, parse
from tests.house.test_house import SOURCES, tree_of

ROOT = Path(__file__).parents[2]
REGISTRY = ROOT / "monitor/model/measures.py"
SAMPLES = ROOT / "monitor/testing"
"""Contract suites for adapters, which need sample alerts with fixed names."""
TREES = {
    str(path.relative_to(ROOT)): tree_of(path) for path in SOURCES if path != REGISTRY and SAMPLES not in path.parents
}


def is_measure(text: str) -> bool:
    """Whether a text is a name or an alias of a measure, with its cutoff if it takes one."""
    try:
        return bool(parse(text))
    except ComparisonError:
        return False


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every text in a module that is not a docstring, with its line."""
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.lineno, node.value


def collections(tree: ast.AST) -> Iterator[tuple[int, list[ast.expr]]]:
    """The elements of every tuple, list and set of a module, and the keys of every mapping, with the line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            yield node.lineno, node.elts
        elif isinstance(node, ast.Dict):
            yield node.lineno, [key for key in node.keys if key is not None]


def test_no_other_module_names_a_measure():
    """A module that needs the name of a measure derives it from the registry."""
    assert len(TREES) > 100
    names = [f"{path}:{line} {text}" for path, tree in TREES.items() for line, text in texts(tree) if is_measure(text)]
    assert names == []


def test_no_other_module_lists_measures_without_their_cutoffs():
    """No tuple, list, set or mapping holds the names of two measures, such as recall and mrr."""
    lists = [
        f"{path}:{line}"
        for path, tree in TREES.items()
        for line, elements in collections(tree)
        if sum(isinstance(each, ast.Constant) and each.value in MEASURES for each in elements) > 1
    ]
    assert lists == []
