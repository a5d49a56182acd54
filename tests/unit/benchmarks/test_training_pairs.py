"""The training set covers every phenomenon with natural minimal pairs, and shares no text with the suites."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from benchmarks.training.pairs import (
    PHENOMENA,
    TRAINING_PAIRS,
    Triplet,
    read_training_pairs,
    triplets,
)
from monitor.errors import SuiteError
from monitor.suites.lines import read_lines
from tests.conftest import ROOT

LEAST_PAIRS = 600
LEAST_PER_PHENOMENON = 45

MOST_WORDS_SHARED_WITH_A_SUITE = 0.45
"""Jaccard similarity of the word sets of a training text and any query or document of the suites."""
MOST_RUNS_SHARED_WITH_A_SUITE = 0.35
"""Share of a training text's runs of five words that stand in one query or document of the suites."""
MOST_WORDS_SHARED_BETWEEN_PAIRS = 0.45
"""Jaccard similarity of the word sets of two texts from different pairs."""

LEAST_OVERLAP = 0.6
"""Words that both sides of a pair share, counted with repetition, among the words of both (Dice)."""
LEAST_OVERLAP_OF_PARAPHRASES = 0.35
"""A paraphrase control shares its subject, not its structure, with the violating text."""

MOST_PAIRS_IN_A_FRAME = 3
"""Sentences that have the same function words and punctuation in the same order, content words aside."""
MOST_QUERIES_IN_A_FRAME = 12
"""The same for queries, which are short: one preposition between two content words is a frame."""

FUNCTION_WORDS = frozenset(
    re.findall(
        r"\w+",
        """a an the and or but nor yet so not no never of to in on at by for from with without as than that which
        who whom whose what when where while if unless until till once since because although though before after
        during between among over under above below into onto out off up down is are was were be been being am has
        have had do does did may might must can could shall should will would need it its he she they him his her
        their we our us you your i my me this that these those there here any some all both either neither each
        every one two only also too even just more most less least few fewer many much such same other another own
        how why then again still already""",
    )
)

GOOD: dict[str, Any] = {
    "pair_id": "negation-t001",
    "phenomenon": "negation",
    "query": "door that opens",
    "satisfying": "The door opens.",
    "violating": "The door does not open.",
    "mirror_query": "door that stays shut",
    "topic": "housing",
}


PAIRS = read_training_pairs()


def words(text: str) -> list[str]:
    """Words and numbers in their order, lower-case."""
    return re.findall(r"[a-z0-9]+", text.casefold())


def runs_of_five(text: str) -> set[str]:
    """Distinct runs of five words."""
    text_words = words(text)
    return {" ".join(text_words[at : at + 5]) for at in range(len(text_words) - 4)}


def overlap(left: str, right: str) -> float:
    """Dice coefficient of two bags of words."""
    left_words, right_words = Counter(words(left)), Counter(words(right))
    return 2 * (left_words & right_words).total() / (left_words.total() + right_words.total())


def frame(text: str) -> str:
    """Function words and punctuation in their order; each run of other words is one slot."""
    tokens = re.findall(r"[a-z0-9'-]+|[.,;:?!()]", text.casefold())
    slots = (token if token in FUNCTION_WORDS or not token[0].isalnum() else "_" for token in tokens)
    return re.sub(r"_( _)+", "_", " ".join(slots))


def incidence(sets: Sequence[set[str]], columns: Mapping[str, int]) -> csr_matrix:
    """One row of zeros and ones for each set; members without a column are left out."""
    members = [[columns[member] for member in row if member in columns] for row in sets]
    starts = np.cumsum([0, *map(len, members)])
    flat = [column for row in members for column in row]
    return csr_matrix((np.ones(len(flat), np.float32), flat, starts), shape=(len(sets), len(columns)))


def in_common(left: Sequence[set[str]], right: Sequence[set[str]]) -> np.ndarray:
    """How many members each set on the left has in common with each on the right."""
    columns = {member: column for column, member in enumerate(sorted(set().union(*right)))}
    return (incidence(left, columns) @ incidence(right, columns).T).toarray()


def sizes(sets: Sequence[set[str]]) -> np.ndarray:
    """How many members each set has."""
    return np.array([len(members) for members in sets], np.float32)


def jaccard(shared: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Members in common as a share of the members of either set, for each pair of sets."""
    return shared / (left[:, None] + right - shared)


def texts_of_the_suites() -> list[str]:
    """All queries and documents under ``probes/``."""
    files = sorted(path for name in ("queries", "corpus") for path in (ROOT / "probes").glob(f"*/{name}.jsonl"))
    assert len(files) >= 4
    return [f"{row.get('title') or ''} {row['text']}" for path in files for _, row in read_lines(path)]


def training_texts() -> list[tuple[str, str]]:
    """Each query and document of the training set with the id of its pair."""
    return [(pair.pair_id, text) for pair in PAIRS for text in pair.texts]


def test_there_are_enough_pairs_of_every_phenomenon_of_the_suite():
    """The phenomena are the strata of the compositional suite, each with at least 45 pairs, and 600 in total."""
    in_suite = {row["phenomenon"] for _, row in read_lines(ROOT / "probes" / "compositional" / "pairs.jsonl")}
    counts = Counter(pair.phenomenon for pair in PAIRS)

    assert set(PHENOMENA) == in_suite == set(counts)
    assert min(counts.values()) >= LEAST_PER_PHENOMENON
    assert counts.total() >= LEAST_PAIRS


def test_both_sides_of_a_pair_have_nearly_the_same_words():
    """The sides differ, and they are minimal pairs; a paraphrase control shares its subject only."""
    far_apart = {
        pair.pair_id: round(overlap(pair.satisfying, pair.violating), 2)
        for pair in PAIRS
        if overlap(pair.satisfying, pair.violating)
        < (LEAST_OVERLAP_OF_PARAPHRASES if pair.phenomenon == "paraphrase" else LEAST_OVERLAP)
    }

    assert far_apart == {}


@pytest.mark.slow
def test_no_text_has_the_words_of_a_text_of_the_suites():
    """Every text is compared with every query and document under ``probes/``, by the words that they share."""
    ids_and_texts = training_texts()
    ours = [set(words(text)) for _, text in ids_and_texts]
    theirs = [set(words(text)) for text in texts_of_the_suites()]

    shared = in_common(ours, theirs)
    similarity = jaccard(shared, sizes(ours), sizes(theirs)).max(axis=1)

    assert near(ids_and_texts, similarity, MOST_WORDS_SHARED_WITH_A_SUITE) == []


@pytest.mark.slow
def test_no_text_has_the_word_runs_of_a_text_of_the_suites():
    """No query or document under ``probes/`` contains a large share of the five-word runs of a training text."""
    ids_and_texts = training_texts()
    ours = [runs_of_five(text) for _, text in ids_and_texts]

    shared = in_common(ours, [runs_of_five(text) for text in texts_of_the_suites()]).max(axis=1)
    share = shared / np.maximum([len(runs) for runs in ours], 1)

    assert near(ids_and_texts, share, MOST_RUNS_SHARED_WITH_A_SUITE) == []


def test_no_two_pairs_have_nearly_the_same_text():
    """The pairs are written one by one: documents of different pairs share less than half of their words."""
    documents = [set(words(pair.satisfying)) for pair in PAIRS]
    shared = in_common(documents, documents)
    similarity = jaccard(shared, sizes(documents), sizes(documents))
    np.fill_diagonal(similarity, 0)

    ids_and_texts = [(pair.pair_id, pair.satisfying) for pair in PAIRS]
    assert near(ids_and_texts, similarity.max(axis=1), MOST_WORDS_SHARED_BETWEEN_PAIRS) == []


@pytest.mark.parametrize(("side", "limit"), [("satisfying", MOST_PAIRS_IN_A_FRAME), ("query", MOST_QUERIES_IN_A_FRAME)])
def test_few_pairs_share_a_sentence_frame(side: str, limit: int):
    """The texts do not come from templates: with content words blanked, few are alike."""
    frames = Counter(frame(getattr(pair, side)) for pair in PAIRS)

    assert {text: count for text, count in frames.items() if count > limit} == {}


def test_topics_are_many_and_none_dominates():
    """At least twenty topics, none with more than a tenth of the pairs."""
    topics = Counter(pair.topic for pair in PAIRS)

    assert len(topics) >= 20
    assert max(topics.values()) <= len(PAIRS) / 10


def test_ids_name_the_phenomenon():
    """An id is the phenomenon, ``-t`` and a number, so that no id is one of the suite's."""
    assert [pair.pair_id for pair in PAIRS if not re.fullmatch(rf"{pair.phenomenon}-t\d{{3}}", pair.pair_id)] == []


def test_a_pair_gives_a_triplet_in_each_direction():
    """The mirror query trades the positive for the negative; a pair without one gives a single triplet."""
    both_ways = next(pair for pair in PAIRS if pair.mirror_query is not None)

    first, second = triplets([both_ways])

    assert first == Triplet(both_ways.query, both_ways.satisfying, both_ways.violating)
    assert second == Triplet(both_ways.mirror_query or "", both_ways.violating, both_ways.satisfying)


def test_a_file_without_a_mirror_query_is_read(tmp_path: Path):
    """``mirror_query`` may be left out."""
    row = {key: value for key, value in GOOD.items() if key != "mirror_query"}

    (pair,) = read_training_pairs(written(tmp_path, [row]))

    assert pair.mirror_query is None
    assert len(list(triplets([pair]))) == 1


MISTAKES = {
    "a missing key": ([{key: value for key, value in GOOD.items() if key != "topic"}], "1: topic is missing"),
    "an empty text": ([GOOD | {"query": " "}], "1: query is empty"),
    "a number for a text": ([GOOD | {"violating": 3}], "1: violating must be a string in quotes, not 3"),
    "an unknown key": (
        [GOOD | {"label": "x"}],
        "1: unknown key label; the keys are pair_id, phenomenon, query, satisfying, violating, topic, mirror_query",
    ),
    "an unknown phenomenon": (
        [GOOD | {"phenomenon": "irony"}],
        f"1: unknown phenomenon 'irony'; the phenomena are {', '.join(PHENOMENA)}",
    ),
    "equal sides": ([GOOD | {"violating": "The DOOR opens."}], "1: satisfying and violating are the same text"),
    "a mirror that mirrors nothing": (
        [GOOD | {"mirror_query": "door that opens"}],
        "1: mirror_query repeats query; leave it out if there is no natural one",
    ),
    "an id used twice": ([GOOD, GOOD], "2: pair_id negation-t001 is used twice"),
    "a text used twice": (
        [GOOD, GOOD | {"pair_id": "negation-t002"}],
        "2: pair negation-t001 has the same text: 'door that opens'",
    ),
}


@pytest.mark.parametrize(("rows", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line_with_file_and_line(tmp_path: Path, rows: list[dict[str, Any]], message: str):
    """The message names the file, the line and the mistake."""
    path = written(tmp_path, rows)

    with pytest.raises(SuiteError) as refusal:
        read_training_pairs(path)

    assert str(refusal.value) == f"{path}:{message}"


def test_an_empty_file_is_refused(tmp_path: Path):
    """A file without pairs is a mistake, not an empty training set."""
    path = written(tmp_path, [])

    with pytest.raises(SuiteError, match="the file has no pairs"):
        read_training_pairs(path)


def test_the_readme_states_the_counts():
    """The table of the README has the number of pairs of each phenomenon, and the total."""
    readme = TRAINING_PAIRS.with_name("README.md").read_text(encoding="utf-8")
    counts = Counter(pair.phenomenon for pair in PAIRS)

    for phenomenon, count in [*counts.items(), ("total", len(PAIRS))]:
        assert re.search(rf"^\| {phenomenon} \| {count} \|", readme, re.MULTILINE), phenomenon


def near(ids_and_texts: Sequence[tuple[str, str]], similarity: Iterable[float], limit: float) -> list[str]:
    """The texts whose similarity to another text reaches the limit."""
    return [
        f"{pair_id} ({value:.2f}): {text}"
        for (pair_id, text), value in zip(ids_and_texts, similarity, strict=True)
        if value >= limit
    ]


def written(folder: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """A file with one row on each line."""
    path = folder / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
