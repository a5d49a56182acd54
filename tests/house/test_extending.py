"""The skeletons in docs/extending.md work when they are copied."""

import json
import re
import textwrap
from pathlib import Path
from types import ModuleType

import pytest

from monitor.evaluation import retrieval
from monitor.suites.formats.collection import Destination, Sources
from tests.conftest import ROOT

BLOCKS = [
    textwrap.dedent(block)
    for block in re.findall(
        r"^ *```python\n(.*?)^ *```",
        (ROOT / "docs" / "extending.md").read_text(encoding="utf-8"),
        re.DOTALL | re.MULTILINE,
    )
]


def block(word: str) -> str:
    """The skeleton that contains a word."""
    (found,) = (text for text in BLOCKS if word in text)
    return found


@pytest.mark.parametrize("text", BLOCKS, ids=lambda text: text.strip().splitlines()[0][:40])
def test_every_skeleton_is_valid_python(text: str) -> None:
    """Each block compiles; the entry of a measure stands in a generator."""
    compile(
        f"def entries():\n{textwrap.indent(text, '    ')}" if text.startswith("yield") else text, "extending", "exec"
    )


def test_the_skeleton_of_a_measure_computes_what_it_shows() -> None:
    """The measure of the guide returns the values in its docstring."""
    names = vars(retrieval).copy()
    exec(block("def first_hit"), names)  # noqa: S102 - the guide is our own
    relevance = retrieval.locate([(["a", "b"], {"a": 1}), (["a", "b"], {"b": 1})])
    assert names["first_hit"](relevance).tolist() == [1.0, 0.0]


def test_the_skeleton_of_a_format_reads_and_writes(tmp_path: Path) -> None:
    """The format of the guide reads a file, and writes the same rows again."""
    module = ModuleType("acme")
    exec(block("FORMAT = Format"), vars(module))  # noqa: S102 - the guide is our own
    row = {"question": "who?", "page": "d1", "text": "Ada."}
    source, copy = tmp_path / "questions.acme", tmp_path / "copy.acme"
    source.write_text(json.dumps(row) + "\n")
    collection = module.FORMAT.read(Sources(source))
    module.FORMAT.write(collection, Destination(copy))
    assert module.FORMAT.recognises(source)
    assert json.loads(copy.read_text()) == row
