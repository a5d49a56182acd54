"""False alarms of the usual methods in a year of hourly looks (§0).

200 fixed probes. *ANN noise*: most queries always score the same, one in ten is close enough to the edge of the
index's search to come and go. *LLM noise*: every query has its own chance, and its score is the mean of five answers.
*Autocorrelated*: besides, an hour's chances move together and slowly, as caches and load do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal, special, stats

from benchmarks.study.table import Table, percent
from monitor.model.measurements import Floats

Flags = NDArray[np.bool_]

N_PROBES, HOURS, REPLAYS = 200, 8_760, 24
KINDS = ("ANN noise", "LLM noise", "LLM, autocorrelated")
CORRELATION = 0.7
THEIRS = {
    "paired t each hour, 5 %": ("97 %, 302", "92 %, 223", "92 %, 422"),
    "2 % threshold": ("100 %, 306", "100 %, 483", "100 %, 586"),
    "Shewhart 3σ": ("96 %, 11", "93 %, 5.5", "97 %, 8.6"),
    "CUSUM h = 8": ("26 %, .5", "17 %, .3", "100 %, 23"),
}


@dataclass(frozen=True, slots=True)
class Target:
    """A noisy target: each probe's chance to be answered well, and how the hours move together."""

    chances: Floats
    answers_averaged: int = 1
    swing: float = 0.0
    """Standard deviation, in logits, of what an hour does to all probes alike; its lag-1 correlation is 0.7."""

    def scores(self, hours: int, rng: np.random.Generator) -> Floats:
        """Scores of every probe in every hour, shape (hours, n_probes)."""
        chances = np.broadcast_to(self.chances, (hours, N_PROBES))
        if self.swing:
            innovations = rng.normal(0.0, self.swing * np.sqrt(1 - CORRELATION**2), hours + 100)
            level = signal.lfilter([1.0], [1.0, -CORRELATION], innovations)[100:, None]
            chances = special.expit(special.logit(chances) + level)
        return np.asarray(rng.binomial(self.answers_averaged, chances) / self.answers_averaged)


def target(kind: str, rng: np.random.Generator) -> Target:
    """A target of this kind, with probes of its own."""
    if kind == "ANN noise":
        chances = np.where(rng.random(N_PROBES) < 0.85, 1.0, 0.0)
        unsure = rng.random(N_PROBES) < 0.10
        return Target(np.where(unsure, rng.uniform(0.5, 0.95, N_PROBES), chances))
    chances = np.clip(special.expit(rng.normal(1.8, 1.6, N_PROBES)), 0.01, 0.99)
    return Target(chances, 5, 0.06 if kind == "LLM, autocorrelated" else 0.0)


def false_alarms(repetitions: int, seed: int) -> Table:
    """P(any false alarm) and episodes in a year in which nothing changed."""
    return Table(
        "A year of hourly looks in which nothing changed, by the usual methods (§0)",
        f"{N_PROBES} probes, {HOURS:,} hours: probability of any false alarm, and false episodes a year; in brackets "
        "the specification. Years of recallwatch are in the tables of looks (§3.7).",
        ("", *KINDS),
        [[name, *_by_kind(name, repetitions, seed)] for name in THEIRS],
        seed,
        repetitions,
    )


def _by_kind(name: str, repetitions: int, seed: int) -> Iterator[str]:
    """False episodes of one of the usual methods, for each kind of target, beside the specification."""
    for kind, their in zip(KINDS, THEIRS[name], strict=True):
        rng = np.random.default_rng(seed)
        years = (target(kind, rng).scores(REPLAYS + 1 + HOURS, rng) for _ in range(repetitions))
        yield f"{_told([_episodes(_alarms(name, scores)) for scores in years])} ({their})"


def _told(episodes: Sequence[int]) -> str:
    """Share of the years with any, and their mean number."""
    mean = float(np.mean(episodes))
    return f"{percent(float(np.mean(np.array(episodes) > 0)))}, {mean:.{0 if mean >= 10 else 2}f}"


def _alarms(name: str, answers: Floats) -> Flags:
    """Whether each hour of the year alarms, by one of the usual methods; the first replays calibrate it."""
    means = answers.mean(axis=1)
    calibration, baseline, hours = means[:REPLAYS], answers[REPLAYS], answers[REPLAYS + 1 :]
    if name.startswith("paired t"):
        differences = hours - baseline
        error = differences.std(axis=1, ddof=1) / np.sqrt(N_PROBES)
        statistic = np.divide(differences.mean(axis=1), error, out=np.zeros(len(error)), where=error > 0)
        return np.asarray(statistic < stats.t.ppf(0.05, N_PROBES - 1))
    if name.startswith("2 %"):
        return np.asarray(hours.mean(axis=1) < 0.98 * baseline.mean())
    drops = (calibration.mean() - hours.mean(axis=1)) / calibration.std(ddof=1)
    return np.asarray(drops > 3) if name.startswith("Shewhart") else _cusum(drops, 8.0)


def _cusum(drops: Floats, limit: float) -> Flags:
    """One-sided CUSUM with reference value 0.5, started anew after each alarm."""
    alarms, total = np.zeros(len(drops), bool), 0.0
    for hour, drop in enumerate(drops.tolist()):
        total = max(0.0, total + drop - 0.5)
        if total > limit:
            alarms[hour], total = True, 0.0
    return alarms


def _episodes(alarms: Flags) -> int:
    return int((alarms[1:] & ~alarms[:-1]).sum() + alarms[0])
