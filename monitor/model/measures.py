"""The measures: one entry for each, from which every other module derives its names.

A measure is an evaluation function; with its cutoff it has a name such as ``ndcg@10``. To add a measure, write its
function and add one entry to `MEASURES`. Functions are named as text, so that reading a configuration imports none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from monitor.model.suites import Axis


class Needs(StrEnum):
    """The part of a run that a measure is computed from. Verdicts list them in this order."""

    PAIRS = "pairs"
    SCORES = "scores"
    """The pairs, and the scores of the hits."""
    RANKINGS = "rankings"
    ANSWERS = "answers"
    JUDGE = "judge"
    CONTEXTS = "contexts"
    CITATIONS = "citations"

    @property
    def is_answer(self) -> bool:
        """Whether the measure scores answers, which exist only where a target has an answerer."""
        return self not in (Needs.PAIRS, Needs.SCORES, Needs.RANKINGS)


class Family(NamedTuple):
    """A Prometheus metric family, its help text and the label that distinguishes the measures in it."""

    metric: str
    help: str
    label: str = "k"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """An evaluation function with one value for each query."""

    name: str
    """Canonical name, without the cutoff."""
    aliases: tuple[str, ...] = ()
    """Names that a configuration may use instead, also without the cutoff; as in ir_measures where it has them."""
    summary: str
    """Definition in one sentence."""
    has_cutoff: bool = False
    """Whether the name is followed by ``@k``."""
    axes: tuple[Axis, ...] = tuple(Axis)
    """Axes whose suites it applies to."""
    range: tuple[float, float] = (0.0, 1.0)
    """Lowest and highest value."""
    higher_is_better: bool = True
    """A measure of which less is better is shown and never compared: every test takes a fall for a loss."""
    unit: str = "ratio"
    is_choice: bool = False
    """Whether it is about the choice between the two documents of a pair, which a gain of structure moves."""
    gain: int = 0
    """Place among the measures that can show a gain of structure, the most sensitive first; 0 if it cannot."""
    absolute_floor: float | None = None
    """Smallest change that counts, in units of a measure without a natural zero; None for one relative to its mean."""
    absolute_margin: float | None = None
    """Tolerated drop, in the same units."""
    needs: Needs = Needs.RANKINGS
    citation: str
    function: str
    """``module:function`` below `monitor.evaluation`; its parameters depend on `needs`."""
    upper_bound: str = ""
    """Upper bound over all judgements of the unjudged hits, as ``module:function``; empty where there is none."""
    family: Family
    reported: tuple[int, ...] = ()
    """Cutoffs at which every run reports it."""
    gates: Mapping[Axis, tuple[int | None, ...]] = field(default_factory=dict)
    """Cutoffs at which it gates by default, for each axis; ``None`` for a measure without a cutoff."""
    leads: bool = False
    """Whether it comes first among the measures that need the same."""
    precedence: int = 0
    """Place among the gating measures of an axis, before the order of `Needs`; answers always come after all others."""

    @property
    def pattern(self) -> str:
        """The name with ``@k`` where it has a cutoff."""
        return f"{self.name}@k" if self.has_cutoff else self.name

    def at(self, k: int | None) -> str:
        """The name of the measure at a cutoff."""
        return self.name if k is None else f"{self.name}@{k}"


_ANSWER_SCORE = Family(
    "recallwatch_answer_score_ratio", "Score of the answers, mean over queries with a reference answer.", "scorer"
)
_SQUAD = "Rajpurkar et al. 2016, SQuAD (arXiv 1606.05250)"
_TREC_EVAL = "trec_eval 9; Manning, Raghavan & Schütze 2008, chapter 8"


def _rankings() -> Iterator[Measure]:
    text = "Share of relevant documents among the first k hits, mean over queries."
    yield Measure(
        name="recall", aliases=("R",), summary=text, has_cutoff=True, citation=_TREC_EVAL,
        function="retrieval:recall", upper_bound="residuals:upper_recall",
        family=Family("recallwatch_recall_ratio", text), reported=(5, 10), gates={Axis.BROAD: (5, 10)}, precedence=1,
    )  # fmt: skip
    text = "Reciprocal rank of the first relevant document within k, mean over queries."
    yield Measure(
        name="mrr", aliases=("RR", "MRR"), summary=text, has_cutoff=True, citation="Voorhees 1999, TREC-8 QA track",
        function="retrieval:mrr", upper_bound="residuals:upper_mrr", family=Family("recallwatch_mrr_ratio", text),
        reported=(10,), gates={Axis.BROAD: (10,), Axis.COMPOSITIONAL: (10,)},
    )  # fmt: skip
    text = "Normalised discounted cumulative gain at k, mean over queries."
    yield Measure(
        name="ndcg", aliases=("nDCG", "NDCG"), summary=text, has_cutoff=True, citation="Järvelin & Kekäläinen 2002",
        function="retrieval:ndcg", upper_bound="residuals:upper_ndcg", family=Family("recallwatch_ndcg_ratio", text),
        reported=(10,), gates={Axis.BROAD: (10,)}, leads=True,
    )  # fmt: skip
    text = "Share of queries with a relevant document among the first k hits."
    yield Measure(
        name="success", aliases=("Success",), summary=text, has_cutoff=True, citation=_TREC_EVAL,
        function="retrieval:success", upper_bound="residuals:upper_success",
        family=Family("recallwatch_success_ratio", text), reported=(5,),
    )  # fmt: skip
    text = "Share of the first k hits that are relevant, mean over queries."
    yield Measure(
        name="precision", aliases=("P",), summary=text, has_cutoff=True, citation=_TREC_EVAL,
        function="retrieval:precision", upper_bound="residuals:upper_precision",
        family=Family("recallwatch_precision_ratio", text),
    )  # fmt: skip
    text = "Average precision over the whole ranking, mean over queries."
    yield Measure(
        name="ap", aliases=("AP", "MAP"), summary=text, citation="Buckley & Voorhees 2000; trec_eval 9",
        function="retrieval:average_precision", upper_bound="residuals:upper_average_precision",
        family=Family("recallwatch_average_precision_ratio", text),
    )  # fmt: skip
    text = "Precision among as many hits as there are relevant documents, mean over queries."
    yield Measure(
        name="rprec", aliases=("Rprec", "RPrec"), summary=text, citation="Buckley & Voorhees 2000; trec_eval 9",
        function="retrieval:r_precision", upper_bound="residuals:upper_r_precision",
        family=Family("recallwatch_r_precision_ratio", text),
    )  # fmt: skip
    text = "Share of the first k hits with a judgement, mean over queries."
    yield Measure(
        name="judged", aliases=("Judged",), summary=text, has_cutoff=True,
        citation="MacAvaney et al. 2022, ir_measures", function="retrieval:judged",
        family=Family("recallwatch_judged_hits_ratio", text),
    )  # fmt: skip


_COMPOSITIONAL = (Axis.COMPOSITIONAL,)
_NEVIR = "Weller et al. 2024, NevIR (arXiv 2305.07614)"
_WINOGROUND = "Thrush et al. 2022, Winoground (arXiv 2204.03162)"


def _pairs() -> Iterator[Measure]:
    text = "Share of pairs whose satisfying document ranks above the violating one, wrong where it was not returned."
    yield Measure(
        name="pair_accuracy", summary=text, axes=_COMPOSITIONAL, needs=Needs.PAIRS, citation=_NEVIR,
        function="pairs:pair_accuracy", family=Family("recallwatch_pair_accuracy_ratio", text),
        is_choice=True, gain=3,
    )  # fmt: skip
    text = "Share of mirrored pairs with both queries right, wrong where a satisfying document was not returned."
    yield Measure(
        name="mirrored_accuracy", summary=text, axes=_COMPOSITIONAL, needs=Needs.PAIRS, citation=_NEVIR,
        function="pairs:mirrored_accuracy", family=Family("recallwatch_mirrored_accuracy_ratio", text),
        is_choice=True,
    )  # fmt: skip
    text = "Share of pairs whose satisfying document was returned at any rank."
    yield Measure(
        name="reach", summary=text, axes=_COMPOSITIONAL, needs=Needs.PAIRS, citation="recallwatch",
        function="structure:reach", family=Family("recallwatch_reach_ratio", text),
        gates={Axis.COMPOSITIONAL: (None,)},
    )  # fmt: skip
    text = "Share of pairs with the satisfying document above the violating one, of those with either returned."
    yield Measure(
        name="structure", summary=text, axes=_COMPOSITIONAL, needs=Needs.PAIRS, citation=f"{_WINOGROUND}; {_NEVIR}",
        function="structure:structure", family=Family("recallwatch_structure_ratio", text),
        gates={Axis.COMPOSITIONAL: (None,)}, leads=True, precedence=1,
        is_choice=True, gain=2,
    )  # fmt: skip
    text = "Share of mirrored pairs with both choices right, of those with a choice for both; chance is one quarter."
    yield Measure(
        name="group_score", summary=text, axes=_COMPOSITIONAL, needs=Needs.PAIRS, citation=f"{_WINOGROUND}; {_NEVIR}",
        function="structure:group_score", family=Family("recallwatch_group_score_ratio", text),
        is_choice=True,
    )  # fmt: skip
    text = "Score of the satisfying minus that of the violating document, in standard deviations of a query's scores."
    yield Measure(
        name="separation", summary=text, axes=_COMPOSITIONAL, range=(-3.0, 3.0), unit="standard deviations",
        needs=Needs.SCORES, citation=f"{_WINOGROUND}; {_NEVIR}", function="structure:separation",
        family=Family("recallwatch_separation", text),
        is_choice=True, gain=1, absolute_floor=0.05, absolute_margin=0.10,
    )  # fmt: skip
    text = "Share of pairs with the violating document among the first k hits; lower is better."
    yield Measure(
        name="violating", summary=text, has_cutoff=True, axes=_COMPOSITIONAL, higher_is_better=False,
        needs=Needs.PAIRS, citation=_NEVIR, function="structure:violating",
        family=Family("recallwatch_violating_ratio", text), reported=(1, 10),
    )  # fmt: skip


def _answers() -> Iterator[Measure]:
    yield Measure(
        name="answer_exact", summary="1 where the normalised answer equals a reference.", needs=Needs.ANSWERS,
        citation=_SQUAD, function="answers.scorers:exact_match", family=_ANSWER_SCORE,
    )  # fmt: skip
    yield Measure(
        name="answer_f1", summary="F1 of the words of the answer, at the best reference.", needs=Needs.ANSWERS,
        citation=_SQUAD, function="answers.scorers:token_f1", family=_ANSWER_SCORE,
        gates={Axis.BROAD: (None,), Axis.COMPOSITIONAL: (None,)}, leads=True,
    )  # fmt: skip
    yield Measure(
        name="answer_contains", summary="1 where the answer contains the words of a reference.", needs=Needs.ANSWERS,
        citation=_SQUAD, function="answers.scorers:containment", family=_ANSWER_SCORE,
    )  # fmt: skip
    yield Measure(
        name="answer_rouge_l", summary="F1 of the longest common subsequence of words, at the best reference.",
        needs=Needs.ANSWERS, citation="Lin 2004, ROUGE, equations 2 to 4 with β = 1",
        function="answers.scorers:rouge_l", family=_ANSWER_SCORE,
    )  # fmt: skip
    yield Measure(
        name="answer_numeric", summary="1 where the answer has every number and date of a reference.",
        needs=Needs.ANSWERS, citation="recallwatch", function="answers.quantities:numeric_equality",
        family=_ANSWER_SCORE,
    )  # fmt: skip
    yield Measure(
        name="answer_polarity", summary="1 where the answer affirms and denies as a reference does.",
        needs=Needs.ANSWERS, citation="recallwatch", function="answers.polarity:polarity", family=_ANSWER_SCORE,
    )  # fmt: skip
    yield Measure(
        name="answer_judged", summary="Mean grade of a judge.", needs=Needs.JUDGE,
        citation="Zheng et al. 2023, MT-Bench (arXiv 2306.05685)", function="answers.scorers:mean_grade",
        family=_ANSWER_SCORE, leads=True,
    )  # fmt: skip
    yield Measure(
        name="context_recall", summary="Share of the relevant documents among the contexts of the answer.",
        needs=Needs.CONTEXTS, citation="Es et al. 2023, RAGAS (arXiv 2309.15217)",
        function="answers.scorers:context_recall", family=_ANSWER_SCORE,
    )  # fmt: skip
    yield Measure(
        name="citation_precision", summary="Share of the cited documents that are relevant.", needs=Needs.CITATIONS,
        citation="Gao et al. 2023, ALCE (arXiv 2305.14627)", function="answers.scorers:citation_precision",
        family=_ANSWER_SCORE,
    )  # fmt: skip
    yield Measure(
        name="citation_recall", summary="Share of the relevant documents that are cited.", needs=Needs.CITATIONS,
        citation="Gao et al. 2023, ALCE (arXiv 2305.14627)", function="answers.scorers:citation_recall",
        family=_ANSWER_SCORE,
    )  # fmt: skip


MEASURES: Mapping[str, Measure] = MappingProxyType(
    {measure.name: measure for entries in (_rankings, _pairs, _answers) for measure in entries()}
)
"""Canonical name to measure."""


def default_gating() -> dict[Axis, tuple[str, ...]]:
    """The measures that gate where a policy names none, for each axis, in their order of precedence.

    Equal precedence keeps the order of `Needs`; among those that need the same, the one that leads comes first.
    """
    order = list(Needs)
    ordered = sorted(
        MEASURES.values(),
        key=lambda each: (each.needs.is_answer, each.precedence, order.index(each.needs), not each.leads),
    )
    return {
        axis: tuple(measure.at(k) for measure in ordered for k in measure.gates.get(axis, ()))
        for axis in (Axis.BROAD, Axis.COMPOSITIONAL)
    }
