"""Chains of queries in which each hop needs the previous one: the effect of lost hops on whole tasks.

If every hop succeeds nine times in ten, a task of three hops succeeds only seven times in ten. The compounding factor
is the relative loss of chains over the relative loss of single hops. A hop is measured by itself with the reference
answer of the previous hop in its query (the gold question); the chain is measured with the answers that it produced.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, stdtrit

from monitor.model.measurements import Floats

Chain = tuple[str, ...]
"""Query ids, first hop first."""
BEFORE = "{answer}"
"""Placeholder in the text of a query for the answer of the previous hop."""
_GOLD = "+gold"
Span = tuple[float, float]

SHORTEST = 2
"""Hops. A single query is not a chain."""
FEWEST_CLUSTERS = 2
"""With fewer clusters, the variation of chains cannot be estimated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compounding:
    """Success of single hops and of whole chains in two runs, over the chains that both scored, with intervals.

    A relative loss is 1 minus candidate over baseline: positive is worse, negative is a gain. Undefined values are NaN:
    a loss if the baseline never succeeded, an interval with fewer than two clusters, and a factor if the loss of hops
    is zero or not distinguishable from zero.
    """

    n_chains: int
    n_clusters: int
    hop_baseline: float
    hop_candidate: float
    chain_baseline: float
    chain_candidate: float
    hop_loss_interval: Span
    chain_loss_interval: Span
    factor_interval: Span

    @property
    def hop_loss(self) -> float:
        """Relative loss of the success of single hops."""
        return _loss(self.hop_baseline, self.hop_candidate)

    @property
    def chain_loss(self) -> float:
        """Relative loss of the success of whole chains: the drop that users of an agent experience."""
        return _loss(self.chain_baseline, self.chain_candidate)

    @property
    def factor(self) -> float:
        """Chain loss over hop loss."""
        return self.chain_loss / self.hop_loss if self.hop_loss else math.nan


def chains_of(follows: Mapping[str, str]) -> tuple[Chain, ...]:
    """The chains of a suite, from the previous hop of every query (empty for a first hop), by their first hops.

    A query without a previous and a next hop is in no chain.

    Raises ValueError if a query follows an unknown one, if two follow the same one, or if hops form a circle.

    Examples
    --------
    >>> chains_of({"a": "", "c": "b", "b": "a", "alone": ""})
    (('a', 'b', 'c'),)
    """
    after: dict[str, str] = {}
    for query_id, before in follows.items():
        if not before:
            continue
        if before not in follows:
            raise ValueError(f"query {query_id} follows {before!r}, which is not in the suite")
        if before in after:
            raise ValueError(f"queries {after[before]} and {query_id} both follow {before}: a chain does not fork")
        after[before] = query_id
    chains = [_walk(query_id, after) for query_id, before in follows.items() if not before]
    reached = {query_id for chain in chains for query_id in chain}
    if circling := [query_id for query_id in follows if query_id not in reached]:
        raise ValueError(f"queries {', '.join(circling)} follow each other in a circle: one must be the first hop")
    return tuple(chain for chain in chains if len(chain) >= SHORTEST)


def gold_id(query_id: str) -> str:
    """Id of the query that asks a hop with the reference answer of the previous hop."""
    return f"{query_id}{_GOLD}"


def own_success(query_id: str, succeeded: Mapping[str, bool]) -> bool:
    """Whether a hop succeeds by itself: with the gold question, where the suite has one.

    Examples
    --------
    The previous answer was wrong, and the hop itself works:

    >>> own_success("b", {"a": False, "b": False, "b+gold": True})
    True
    """
    return succeeded.get(gold_id(query_id), succeeded[query_id])


def hop_success(last_ranks: Mapping[str, int], k: int) -> dict[str, bool]:
    """Whether all evidence of each query is among its first ``k`` hits, given `headroom.last_ranks`.

    Examples
    --------
    >>> hop_success({"q1": 3, "q2": 11, "q3": 0}, k=10)
    {'q1': True, 'q2': False, 'q3': False}
    """
    return {query_id: 1 <= rank <= k for query_id, rank in last_ranks.items()}


def chain_success(chains: Sequence[Chain], succeeded: Mapping[str, bool]) -> dict[str, float]:
    """1 for each chain whose hops all succeeded, else 0, under the query id of its final hop.

    A chain with a hop that was not scored is left out: a failed probe is not a wrong ranking.

    Examples
    --------
    >>> chain_success([("a", "b"), ("c", "d"), ("e", "f")], {"a": True, "b": True, "c": True, "d": False, "e": True})
    {'b': 1.0, 'd': 0.0}
    """
    return {chain[-1]: float(all(map(succeeded.__getitem__, chain))) for chain in _scored(chains, succeeded)}


def mean_by_hop(chains: Sequence[Chain], values: Mapping[str, float]) -> tuple[float, ...]:
    """Mean value of each hop, first hop first, over the chains with a value for every hop.

    Examples
    --------
    >>> mean_by_hop([("a", "b"), ("c", "d")], {"a": True, "b": False, "c": True, "d": True})
    (1.0, 0.5)
    """
    scored = [chain for chain in chains if values.keys() >= set(chain)]
    by_hop = [
        [values[chain[hop]] for chain in scored if hop < len(chain)] for hop in range(max(map(len, scored), default=0))
    ]
    return tuple(sum(each) / len(each) for each in by_hop)


def compounding(
    chains: Sequence[Chain],
    baseline: Mapping[str, bool],
    candidate: Mapping[str, bool],
    *,
    rng: np.random.Generator,
    cluster_of: Mapping[str, str] | None = None,
    alpha: float = 0.05,
    resamples: int = 2_000,
) -> Compounding:
    """Relative loss of chains against that of single hops, over the chains that both runs scored.

    The loss of hops is that of the gold questions; where a suite has none, the hops of the chains are counted.
    Intervals at level 1 − ``alpha`` are from the percentile bootstrap over clusters, with percentiles expanded
    according to Student's t for few clusters.

    Parameters
    ----------
    chains
        The chains, as `chains_of` returns them.
    baseline, candidate
        Whether each query found its evidence, as `hop_success` returns it, including the gold questions.
    rng
        Generator of the resamples: the same state gives the same intervals.
    cluster_of
        Cluster of each query; chains whose first hops share a cluster are resampled together. By default, each chain
        is a cluster.

    References
    ----------
    Hesterberg 2015, What teachers should know about the bootstrap, section 4.3: expanded percentiles.
    """
    both = [chain for chain in _scored(chains, baseline) if _is_scored(chain, baseline, candidate)]
    names = [chain[0] if cluster_of is None else cluster_of[chain[0]] for chain in both]
    clusters, of_chain = np.unique(np.array(names, np.str_), return_inverse=True)
    totals = np.zeros((len(clusters), 6))
    np.add.at(totals, of_chain, np.array([_counted(chain, baseline, candidate) for chain in both]).reshape(-1, 6))
    hop_loss, chain_loss, factor = _intervals(totals, rng, alpha, resamples)
    rates = _rates(totals.sum(0)).tolist() if both else [math.nan] * 4
    return Compounding(
        n_chains=len(both),
        n_clusters=len(clusters),
        hop_baseline=rates[0],
        hop_candidate=rates[1],
        chain_baseline=rates[2],
        chain_candidate=rates[3],
        hop_loss_interval=hop_loss,
        chain_loss_interval=chain_loss,
        factor_interval=factor,
    )


def _walk(first: str, after: Mapping[str, str]) -> Chain:
    chain = [first]
    while chain[-1] in after:
        chain.append(after[chain[-1]])
    return tuple(chain)


def _scored(chains: Sequence[Chain], succeeded: Mapping[str, bool]) -> list[Chain]:
    return [chain for chain in chains if succeeded.keys() >= set(chain)]


def _is_scored(chain: Chain, baseline: Mapping[str, bool], candidate: Mapping[str, bool]) -> bool:
    """Whether the candidate scored the chain, and both runs the same gold questions."""
    gold_ids = [gold_id(query_id) for query_id in chain]
    return candidate.keys() >= set(chain) and all((each in baseline) == (each in candidate) for each in gold_ids)


def _counted(chain: Chain, *runs: Mapping[str, bool]) -> tuple[int, ...]:
    """Hops that succeed by themselves in each run, successful chains in each run, number of hops, number of chains."""
    own = [sum(own_success(query_id, run) for query_id in chain) for run in runs]
    return (*own, *(all(run[query_id] for query_id in chain) for run in runs), len(chain), 1)


def _rates(totals: Floats) -> Floats:
    """Success of hops and of chains, in the baseline and in the candidate, shape (..., 4)."""
    return totals[..., :4] / totals[..., [4, 4, 5, 5]]


def _intervals(totals: Floats, rng: np.random.Generator, alpha: float, resamples: int) -> tuple[Span, Span, Span]:
    unknown = math.nan, math.nan
    n_clusters = len(totals)
    if n_clusters < 2:
        return unknown, unknown, unknown
    drawn = rng.multinomial(n_clusters, np.full(n_clusters, 1 / n_clusters), size=resamples)
    rates = _rates(drawn @ totals)
    tail = _tail(n_clusters, alpha)
    with np.errstate(divide="ignore", invalid="ignore"):
        hop, chain = 1 - rates[:, 1] / rates[:, 0], 1 - rates[:, 3] / rates[:, 2]
        factor = chain / hop
    hop_span, chain_span = _percentiles(hop, tail), _percentiles(chain, tail)
    is_significant = hop_span[0] > 0 or hop_span[1] < 0
    return hop_span, chain_span, _percentiles(factor, tail) if is_significant else unknown


def _tail(n_clusters: int, alpha: float) -> float:
    """Share of the resamples to cut at each end: alpha / 2, and less for few clusters."""
    quantile = stdtrit(n_clusters - 1, 1 - alpha / 2)
    return float(ndtr(-quantile * math.sqrt(n_clusters / (n_clusters - 1))))


def _percentiles(values: Floats, tail: float) -> Span:
    """The lowest and highest value without both tails; NaN if a value is not finite."""
    if not np.isfinite(values).all():
        return math.nan, math.nan
    lower, upper = np.quantile(values, [tail, 1 - tail]).tolist()
    return lower, upper


def _loss(before: float, after: float) -> float:
    return 1 - after / before if before else math.nan
