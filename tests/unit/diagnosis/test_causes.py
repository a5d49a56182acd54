"""The cause of a change is named with its evidence and with the causes that cannot be distinguished from it."""

from dataclasses import replace

import numpy as np
import pytest

from monitor.diagnosis.causes import name_cause
from monitor.model.causes import Cause, CauseName
from monitor.model.runs import Ranking
from monitor.model.snapshots import Embedded, Snapshot, from_run, from_runs
from tests.builders import a_query, a_run, a_suite
from tests.synthetic_space import N_DOCUMENTS, Space, distortion, rotation, unit

SPACE = Space.random(1)
RNG = np.random.default_rng(2)
CHOSEN = frozenset(f"d{row}" for row in range(0, N_DOCUMENTS, 7))
ROWS = [int(doc_id[1:]) for doc_id in CHOSEN]
TUNED = SPACE.mapped(distortion(3, 0.5))
NUDGED = unit(SPACE.texts + 1e-3 * RNG.normal(size=SPACE.texts.shape))
IS_EDITED = (np.arange(N_DOCUMENTS) % 9 == 0)[:, None]
EDITED = np.where(IS_EDITED, unit(SPACE.stored + SPACE.stored[::-1]), SPACE.stored)
REPLACED = np.where(IS_EDITED, SPACE.stored[::-1], SPACE.stored)
MISSING = replace(SPACE, missed=0.1)

CASES = {
    "nothing": (SPACE, SPACE, CauseName.UNCHANGED),
    "nothing, and chance in every search": (MISSING, MISSING, CauseName.UNCHANGED),
    "scores that jitter": (replace(SPACE, jitter=1e-5), replace(SPACE, jitter=1e-5), CauseName.UNCHANGED),
    "vectors in fewer bits": (SPACE, replace(SPACE, texts=NUDGED, stored=NUDGED), CauseName.NOISY),
    "a tuned model": (SPACE, TUNED, CauseName.MODEL_CHANGED),
    "a search that misses": (SPACE, MISSING, CauseName.INDEX_CHANGED),
    "a search that misses less": (replace(SPACE, missed=0.2), replace(SPACE, missed=0.02), CauseName.INDEX_CHANGED),
    "deletions": (SPACE, SPACE.without(ROWS), CauseName.CORPUS_CHANGED),
    "additions": (SPACE.without(ROWS), SPACE, CauseName.CORPUS_CHANGED),
    "edited texts": (SPACE, replace(SPACE, stored=EDITED), CauseName.CORPUS_CHANGED),
    "a smaller k": (SPACE, replace(SPACE, k=6), CauseName.CONFIGURATION_CHANGED),
    "a larger k": (replace(SPACE, k=6), SPACE, CauseName.CONFIGURATION_CHANGED),
    "a query encoder swapped alone": (SPACE, replace(TUNED, stored=SPACE.stored), CauseName.ENCODERS_DIVERGED),
    "an index by another model": (SPACE, replace(SPACE, stored=TUNED.stored), CauseName.ENCODERS_DIVERGED),
}


def named(before: Space, after: Space, *, vectors: bool = True, echoes: bool = True) -> Cause:
    """The cause of the change between two cycles."""
    return name_cause(*(each.look(seed, vectors=vectors, echoes=echoes) for seed, each in enumerate((before, after))))


@pytest.mark.parametrize("vectors", [True, False], ids=["vectors", "rankings"])
@pytest.mark.parametrize(("before", "after", "expected"), CASES.values(), ids=CASES)
def test_the_cause_is_named(before: Space, after: Space, expected: CauseName, vectors: bool):
    """Each cause is named right, with vectors and without."""
    cause = named(before, after, vectors=vectors)
    assert cause.name is expected
    assert cause.evidence
    assert all(sentence.endswith(".") for sentence in cause.evidence)
    assert all(np.isfinite(value) for value in cause.numbers.values())


def test_a_filter_and_deletions_are_told_by_the_index_alone():
    """With rankings only, all that hide documents are named; with the index, the actual one."""
    filtered = replace(SPACE, hidden=CHOSEN)
    blind = named(SPACE, filtered, vectors=False)
    assert blind.name is CauseName.CORPUS_CHANGED
    assert blind.or_else == (CauseName.CONFIGURATION_CHANGED, CauseName.INDEX_CHANGED)
    assert named(SPACE, filtered).name is CauseName.CONFIGURATION_CHANGED
    assert named(filtered, SPACE).name is CauseName.CONFIGURATION_CHANGED


def test_whole_groups_that_are_missing_look_like_a_filter():
    """Where the groups of documents are known, a filter is named before a deletion."""
    groups = {doc_id: "hidden" if doc_id in CHOSEN else "shown" for doc_id in SPACE.doc_ids}
    before, after = (each.look(vectors=False) for each in (SPACE, replace(SPACE, hidden=CHOSEN)))
    cause = name_cause(replace(before, groups=groups), after)
    assert cause.name is CauseName.CONFIGURATION_CHANGED
    assert cause.or_else == (CauseName.CORPUS_CHANGED,)


def test_without_echoes_a_model_and_an_encoder_are_not_told_apart():
    """Two stored runs name both causes and the data that would distinguish them."""
    cause = named(SPACE, replace(TUNED, stored=SPACE.stored), vectors=False, echoes=False)
    assert {CauseName.MODEL_CHANGED, CauseName.ENCODERS_DIVERGED} <= {cause.name, *cause.or_else}
    assert "queried by their own text" in " ".join(cause.evidence)


def test_replaced_texts_are_seen_in_the_vectors():
    """Documents whose whole text became another one are a change of the corpus, however rankings scatter."""
    assert named(SPACE, replace(SPACE, stored=REPLACED)).name is CauseName.CORPUS_CHANGED


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_an_index_of_two_models_is_no_edited_corpus(share: float):
    """Documents that keep their distances to each other, and not to the others, were embedded by another model."""
    is_moved = np.random.default_rng(6).random(N_DOCUMENTS) < share
    mixed = np.where(is_moved[:, None], SPACE.stored @ rotation(9), SPACE.stored)
    cause = named(SPACE, replace(SPACE, stored=mixed))
    assert cause.name is CauseName.INDEX_CHANGED
    assert "another model embedded this part of the index" in " ".join(cause.evidence)
    by_rankings = named(SPACE, replace(SPACE, stored=mixed), vectors=False)
    assert CauseName.INDEX_CHANGED in (by_rankings.name, *by_rankings.or_else)


def test_edited_texts_name_the_alternative():
    """Where only scores are known, edited texts and a part of the index by another model look alike."""
    cause = named(SPACE, replace(SPACE, stored=EDITED), vectors=False)
    assert (cause.name, cause.or_else) == (CauseName.CORPUS_CHANGED, (CauseName.INDEX_CHANGED,))


def test_a_rotated_space_is_another_model_that_no_ranking_shows():
    """With vectors a rotation is a model change; without them nothing has changed for anybody."""
    rotated = SPACE.mapped(rotation(4))
    assert named(SPACE, rotated).name is CauseName.MODEL_CHANGED
    assert not named(SPACE, rotated, vectors=False).name.is_swap


def test_another_dimension_is_another_model():
    """Vectors of different dimensions are never compared, and never an error."""
    before = SPACE.look()
    wide = {name: Embedded(of.ids, np.pad(of.vectors, ((0, 0), (0, 8))))
            for name in ("queries", "stored", "encoded") if (of := getattr(before, name))}  # fmt: skip
    assert name_cause(before, replace(before, **wide)).name is CauseName.MODEL_CHANGED


@pytest.mark.parametrize("before_weight", [1.0, 0.7])
def test_other_weights_of_words_and_vectors_are_told_by_the_words(before_weight: float):
    """Where word matches explain the new scores, the configuration changed; where they are not known, it may have."""
    words = RNG.random((len(SPACE.queries), N_DOCUMENTS))
    looks = [_mixed(words, weight) for weight in (before_weight, 0.5)]
    guesses = words * RNG.uniform(0.9, 1.1, words.shape)
    matches = {f"q{row}": {f"d{column}": float(value) for column, value in enumerate(of)}
               for row, of in enumerate(guesses)}  # fmt: skip
    assert name_cause(replace(looks[0], word_matches=matches), looks[1]).name is CauseName.CONFIGURATION_CHANGED
    assert CauseName.CONFIGURATION_CHANGED in name_cause(*looks).or_else


def _mixed(words: np.ndarray, by_vectors: float) -> Snapshot:
    scores = by_vectors * SPACE.queries @ SPACE.stored.T + (1 - by_vectors) * words
    rows = [np.argsort(-each)[:10] for each in scores]
    return Snapshot(
        rankings={
            f"q{number}": Ranking(
                doc_ids=tuple(f"d{place}" for place in row), scores=tuple(scores[number, row].tolist())
            )
            for number, row in enumerate(rows)
        },
        depth=10,
    )


def test_scores_of_another_kind_are_a_matter_of_configuration():
    """Distances in place of cosines, or scores that spread a hundred times less, are no other model."""
    before = SPACE.look(vectors=False)
    small = {key: replace(each, scores=tuple(score / 100 for score in each.scores))
             for key, each in before.rankings.items()}  # fmt: skip
    cause = name_cause(before, replace(before, rankings=small, replayed={}, echoes={}))
    assert cause.name is CauseName.CONFIGURATION_CHANGED


def test_distances_are_read_the_other_way_round():
    """Where lower scores are better, nothing is lost or found in an unchanged target."""
    look = SPACE.look(vectors=False)
    turned = {key: replace(each, scores=tuple(1 - score for score in each.scores))
              for key, each in look.rankings.items()}  # fmt: skip
    turned_look = replace(look, rankings=turned, replayed=turned, echoes={})
    assert name_cause(turned_look, turned_look).name is CauseName.UNCHANGED


def test_documents_cut_otherwise_are_a_change_of_the_corpus():
    """Numbered pieces of documents that came whole before are recognised, with nothing else to compare."""
    before = SPACE.look(vectors=False, echoes=False)
    pieces = {key: replace(each, doc_ids=tuple(f"{doc_id}#1" for doc_id in each.doc_ids))
              for key, each in before.rankings.items()}  # fmt: skip
    cause = name_cause(before, replace(before, rankings=pieces))
    assert cause.name is CauseName.CORPUS_CHANGED
    assert "pieces" in cause.evidence[0]
    assert cause.or_else == (CauseName.MODEL_CHANGED,)


def test_some_servers_with_another_model_are_seen():
    """Where all scores moved for some queries and none for others, a part of the fleet serves another model."""
    first, second = (each.look(vectors=False, echoes=False).rankings for each in (SPACE, TUNED))
    half = {key: (second if int(key[1:]) % 2 else first)[key] for key in first}
    cause = name_cause(Snapshot(rankings=first, depth=10), Snapshot(rankings=half, depth=10))
    assert cause.name is CauseName.MODEL_CHANGED
    assert "some of the servers" in cause.evidence[0]


def test_an_answerer_is_named_alone_or_besides():
    """A new answerer is the cause if nothing else changed, and a further cause otherwise."""
    before = replace(SPACE.look(), answerer="one", judge="this")
    alone = name_cause(before, replace(before, answerer="two"))
    assert (alone.name, alone.also) == (CauseName.ANSWERER_CHANGED, ())
    besides = name_cause(before, replace(TUNED.look(), answerer="one", judge="that"))
    assert (besides.name, besides.also) == (CauseName.MODEL_CHANGED, (CauseName.ANSWERER_CHANGED,))


def test_a_target_without_scores_is_judged_by_order():
    """Rankings alone distinguish no change, deletions and a new k."""
    before, gone = (_scoreless(each) for each in (SPACE, SPACE.without(ROWS)))
    assert name_cause(before, before).name is CauseName.UNCHANGED
    assert name_cause(before, gone).name is CauseName.CORPUS_CHANGED
    assert name_cause(before, _scoreless(replace(SPACE, k=5))).name is CauseName.CONFIGURATION_CHANGED


def _scoreless(space: Space) -> Snapshot:
    rankings = space.look(vectors=False).rankings
    return Snapshot(rankings={key: replace(each, scores=None) for key, each in rankings.items()}, depth=10)


def test_nothing_is_named_without_a_shared_query():
    """Two snapshots without a common query are refused in words."""
    with pytest.raises(ValueError, match="no canary query was ranked in both"):
        name_cause(
            Snapshot(rankings={"a": Ranking(doc_ids=("d",))}, depth=1),
            Snapshot(rankings={"b": Ranking(doc_ids=("d",))}, depth=1),
        )


def test_an_index_that_returns_nothing_is_an_empty_corpus_or_a_filter():
    """Empty rankings everywhere name the corpus first."""
    before = SPACE.look(vectors=False, echoes=False)
    cause = name_cause(before, replace(before, rankings=dict.fromkeys(before.rankings, Ranking(doc_ids=()))))
    assert cause.name is CauseName.CORPUS_CHANGED


def test_two_stored_runs_are_two_snapshots():
    """Queries that failed in one of the runs are left out of both."""
    from monitor.errors import Reason

    suite = a_suite(a_query("q1"), a_query("q2"))
    before = a_run(suite, {"q1": "abc", "q2": "ab"})
    after = a_run(suite, {"q1": "abd", "q2": Reason.TIMEOUT})
    first, second = from_runs(before, after)
    assert set(first.rankings) == set(second.rankings) == {"q1"}
    assert set(from_run(before).rankings) == {"q1", "q2"}
    assert from_run(before, []).rankings == {}
    assert first.depth == before.depth


@pytest.mark.parametrize("vectors", [np.zeros(3), np.zeros((2, 3)), np.array([[np.nan]])])
def test_what_is_no_table_of_vectors_is_refused(vectors: np.ndarray):
    """Vectors need one finite row for each id; other shapes raise an error with the shape."""
    with pytest.raises(ValueError, match=r"not one row|not a finite"):
        Embedded(("a",), vectors)
