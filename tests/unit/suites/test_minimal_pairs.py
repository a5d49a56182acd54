"""Minimal pairs made of sentences by a real parser: what is rewritten, what is refused, and the suite they make."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from monitor.cli.suite_generate import GenerationOptions, generate_suite
from monitor.cli.suite_lint import lint_suites
from monitor.cli.suite_review import review_suite
from monitor.errors import SuiteError
from monitor.suites.generation import parse, review
from monitor.suites.generation.draft import Refusal
from monitor.suites.generation.minimal_pairs import MinimalPair, PairGenerator
from monitor.suites.reading import Document, read_corpus, read_suite

if TYPE_CHECKING:
    from spacy.language import Language

pytestmark = pytest.mark.slow
"""A model is loaded."""


@pytest.fixture(scope="module")
def nlp() -> Language:
    """The parser of the extra ``generate``."""
    return parse.load(parse.DEFAULT_MODEL)


def outcome(nlp: Language, phenomenon: str, sentence: str) -> MinimalPair | str:
    """The pair that one change makes of a sentence, or why there is none."""
    generator = PairGenerator(nlp, 1)
    found = parse.one_sentence(nlp(sentence))
    assert found is not None
    made = generator._pair(phenomenon, Document("d", "", sentence), found)
    assert made is not None, "nothing of the kind was found"
    return made.reason if isinstance(made, Refusal) else made


REWRITTEN = [
    ("negation", "The chuck takes bits up to ten millimetres.", "The chuck does not take bits up to ten millimetres."),
    ("negation", "Recycling is confined to chemical breakdown.", "Recycling is not confined to chemical breakdown."),
    ("negation", "The landlord must repair the roof.", "The landlord must not repair the roof."),
    ("negation", "The service can be reached at night.", "The service cannot be reached at night."),
    ("negation", "The company carried the costs in May.", "The company did not carry the costs in May."),
    ("role-swap", "The manufacturer indemnifies the buyer.", "The buyer indemnifies the manufacturer."),
    ("role-swap", "The tenants pay the landlord in May.", "The landlord pays the tenants in May."),
    ("role-swap", "The landlord has warned the tenants.", "The tenants have warned the landlord."),
    ("role-swap", "Yesterday she helped the doctor again.", "Yesterday the doctor helped her again."),
    ("binding", "The yellow gel beneath has a strong odour.", "The strong gel beneath has a yellow odour."),
    ("binding", "An old lamp stands beside a green chair.", "A green lamp stands beside an old chair."),
    ("numeric", "The excess of this policy is 150 crowns.", "The excess of this policy is 300 crowns."),
    ("numeric", "The machine fills 1,200 bottles in an hour.", "The machine fills 2,400 bottles in an hour."),
    ("numeric", "The fund pays 80 percent of the costs.", "The fund pays 40 percent of the costs."),
    ("numeric", "Three pieces of luggage are free of charge.", "Six pieces of luggage are free of charge."),
    ("temporal", "The part is stocked after the model ends.", "The part is stocked before the model ends."),
    ("temporal", "Before payment the goods stay in the store.", "After payment the goods stay in the store."),
    ("comparative", "Old canvas shoes are better than boots.", "Old canvas shoes are worse than boots."),
    ("comparative", "The north hall has more seats than the south hall.",
     "The north hall has fewer seats than the south hall."),
    ("quantifier", "Every visitor signs the register.", "Not every visitor signs the register."),
    ("quantifier", "The undisputed part must be repaid at once.", "The undisputed part need not be repaid at once."),
    ("quantifier", "The mode keeps all settings for the user.", "The mode keeps only some settings for the user."),
    ("conjunction", "The code gives week and year of manufacture.", "The code gives week but not year of manufacture."),
    ("conjunction", "The office accepts cash or cheques.", "The office accepts neither cash nor cheques."),
]  # fmt: skip


@pytest.mark.parametrize(("phenomenon", "sentence", "violating"), REWRITTEN)
def test_a_sentence_is_rewritten(nlp: Language, phenomenon: str, sentence: str, violating: str):
    """The rewrite is grammatical, with agreement, case and articles, and contradicts."""
    made = outcome(nlp, phenomenon, sentence)
    assert isinstance(made, MinimalPair), made
    assert made.rewrite.text == violating
    changed = slice(made.rewrite.start, made.rewrite.end)
    assert sentence[: changed.start].lower() == violating[: changed.start].lower(), "before it all is the same"
    assert violating.endswith(sentence[changed.stop :]), "behind it all is the same"


REFUSED = [
    ("negation", "The landlord never repairs the roof.", "a negated sentence"),
    ("negation", "The landlord fails to repair the roof.", "a negated sentence"),
    ("negation", "The landlord repairs some of the roofs.", "a word that changes its meaning under a negation"),
    ("negation", "The landlord may repair the roof.", "“may” and “may not” can both be true"),
    ("negation", "The landlord comes and repairs it.", "several verbs, of which any could be negated"),
    ("role-swap", "The minister met the president in May.", "a symmetric verb, whose meaning does not change"),
    ("role-swap", "The doctor married the teacher in May.", "a symmetric verb, whose meaning does not change"),
    ("role-swap", "The doctor opened the window in May.",
     "subject and object are not both persons or organisations"),
    ("role-swap", "The doctor helped his teacher in May.", "a possessive or reflexive word would change its referent"),
    ("binding", "The old lamp stands beside the old chair.", "both nouns or both adjectives are the same word"),
    ("binding", "The older lamp stands beside the green chair.",
     "an adjective that compares, is a participle or has dependents"),
    ("numeric", "The deposit is at least 150 crowns.", "a bound or a range, which a different number can satisfy"),
    ("numeric", "The men of size 43 ran ahead.", "a number after its noun, which names and does not count"),
    ("numeric", "About four fifths of all land plants have it.", "a score, a range or a fraction"),
    ("conjunction", "The hall is a dark room or box.", "two things of different kinds"),
    ("numeric", "The office opened on 12 March in Berlin.", "a number in a date or a time"),
    (
        "numeric",
        "The office did not pay 150 crowns.",
        "a negated sentence, which a different number need not contradict",
    ),
    ("temporal", "The case came before the court in May.", "“before” or “after” may not be about time"),
    ("comparative", "The tower is not taller than the church.",
     "a negated comparison, whose opposite need not contradict it"),
    ("quantifier", "Not every visitor signs the register.", "a negated sentence, whose scope is ambiguous"),
    ("conjunction", "The firm combines steel and glass.", "both are connected by more than “and” or “or”"),
]  # fmt: skip


@pytest.mark.parametrize(("phenomenon", "sentence", "reason"), REFUSED)
def test_a_rewrite_that_would_say_nothing_is_refused(nlp: Language, phenomenon: str, sentence: str, reason: str):
    """What would be ungrammatical, would say the same or need not contradict has its reason."""
    assert outcome(nlp, phenomenon, sentence) == reason


@pytest.mark.parametrize(
    ("phenomenon", "sentence", "question", "mirror"),
    [
        (
            "role-swap", "The manufacturer indemnifies the buyer.",
            "Which manufacturer indemnifies the buyer?", "Which buyer indemnifies the manufacturer?",
        ),
        (
            "negation", "In winter, the office opens on Sundays.",
            "In winter, which office opens on Sundays?", "In winter, which office does not open on Sundays?",
        ),
        (
            "quantifier", "Every visitor signs the register.",
            "Where does it say that every visitor signs the register?",
            "Where does it say that not every visitor signs the register?",
        ),
        (
            "temporal", "Blood is taken before surgery in all clinics.",
            "Where does it say that blood is taken before surgery in all clinics?",
            "Where does it say that blood is taken after surgery in all clinics?",
        ),
    ],
)  # fmt: skip
def test_each_sentence_of_a_pair_has_its_question(
    nlp: Language, phenomenon: str, sentence: str, question: str, mirror: str
):
    """The subject is asked for where it can be, else where it is said."""
    made = outcome(nlp, phenomenon, sentence)
    assert isinstance(made, MinimalPair), made
    assert (made.question.text, made.mirror.text) == (question, mirror)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A corpus of the sentences above, four to a document, and the suite that was made of it."""
    folder = tmp_path_factory.mktemp("pairs")
    sentences = [sentence for _, sentence, _ in (*REWRITTEN, *REFUSED)]
    texts = [" ".join(sentences[start : start + 4]) for start in range(0, len(sentences), 4)]
    rows = [{"_id": f"d{number}", "title": f"Part {number}", "text": text} for number, text in enumerate(texts)]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    wanted = GenerationOptions(kinds=("minimal-pairs",), count=3, seed=1)
    asyncio.run(generate_suite(folder / "corpus.jsonl", folder / "suite", wanted, None))
    return folder, folder / "suite"


def test_pairs_make_a_compositional_suite(made: tuple[Path, Path]):
    """It reads, lints without an error, and each query has its mirror, its documents and its cluster."""
    _, folder = made
    suite = read_suite(folder)
    assert suite.axis == "compositional"
    assert len(suite.pairs) == len(suite.queries) >= 20
    assert all(pair.mirror_id for pair in suite.pairs)
    assert len(suite.strata) >= 6
    found = asyncio.run(lint_suites([str(folder)])).data["suites"][0]
    rules = {each["rule"] for each in found["findings"]}
    assert (found["errors"], rules) == (0, {"few-pairs", "few-clusters", "unreviewed"})


def test_every_pair_stands_where_it_is_said_to(made: tuple[Path, Path]):
    """The place in the provenance of each query is the sentence that one of its documents is."""
    source, folder = made
    corpus = {each.doc_id: each.text for each in read_corpus(source)}
    sentences = {each.doc_id: each.text for each in read_corpus(folder)}
    pairs = {pair.query_id: pair for pair in read_suite(folder).pairs}
    for line in (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        told = row["metadata"]["provenance"]
        pair = pairs[row["_id"]]
        original = pair.satisfying_id if told["asks_for"] == "the sentence" else pair.violating_id
        assert sentences[original] == corpus[told["doc_id"]][told["start"] : told["end"]]


def test_a_rejected_mirror_leaves_a_pair_of_its_own(made: tuple[Path, Path], tmp_path: Path):
    """The accepted query keeps its two documents and names no mirror any more."""
    _, folder = made
    header, *lines = (folder / review.FILE).read_text(encoding="utf-8").splitlines()
    filled = [line.replace("\t\t", "\tyes\t" if number % 2 == 0 else "\tno\t", 1) for number, line in enumerate(lines)]
    (tmp_path / "review.tsv").write_text("\n".join([header, *filled]), encoding="utf-8")
    asyncio.run(review_suite(folder, tmp_path / "kept", tmp_path / "review.tsv"))
    suite = read_suite(tmp_path / "kept")
    assert len(suite.pairs) == len(suite.queries) == len(lines) // 2
    assert not any(pair.mirror_id for pair in suite.pairs)


def test_a_model_that_is_not_there_is_told(tmp_path: Path):
    """The message says how to get it."""
    with pytest.raises(SuiteError, match=r"unknown spaCy model xx_none: pip install 'recallwatch\[generate\]'"):
        parse.load("xx_none")
