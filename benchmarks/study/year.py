"""A year of hourly looks: what cries wolf, and how long a real drop takes to be seen (§0).

200 fixed probes. *ANN noise*: most queries always score the same, one in ten is close enough to the edge of the
index's search to come and go. *LLM noise*: every query has its own chance, and its score is the mean of five answers.
*Autocorrelated*: besides, an hour's chances move together and slowly, as caches and load do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import signal, special, stats

from benchmarks.study.generator import RECALL, swap
from benchmarks.study.runs import measured, suite
from benchmarks.study.table import Table, percent
from monitor.decision.comparison import compare, pair_all
from monitor.decision.judgement import has_fallen
from monitor.model.measurements import Floats, Measured
from monitor.model.noise import DetectorState, Series
from monitor.model.policies import Policy
from monitor.model.suites import Axis
from monitor.statistics import e_detector, noise_floor

Flags = NDArray[np.bool_]

N_PROBES, HOURS, REPLAYS = 200, 8_760, 24
KINDS = ("ANN noise", "LLM noise", "LLM, autocorrelated")
DROPS = (0.05, 0.08, 0.20)
POLICY = Policy(gating={Axis.BROAD: (RECALL,)}, resamples=1_999)
SUITE = suite(Axis.BROAD, N_PROBES)
SERIES = f"overall/{RECALL}"
CORRELATION = 0.7
THEIRS = {
    "paired t each hour, 5 %": ("97 %, 302", "92 %, 223", "92 %, 422"),
    "2 % threshold": ("100 %, 306", "100 %, 483", "100 %, 586"),
    "Shewhart 3σ": ("96 %, 11", "93 %, 5.5", "97 %, 8.6"),
    "CUSUM h = 8": ("26 %, .5", "17 %, .3", "100 %, 23"),
}
BEFORE, LATEST = 48, 60
"""Looks before and after a drop that are simulated."""
AVERAGED, ONE_RUN = "recallwatch", "recallwatch without the replays' mean"
"""What a run's mean is compared with: the replays' mean where it agrees with the baseline run, or that run's own."""


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


def fallen(before: Target, drop: float, rng: np.random.Generator) -> Target:
    """The target after a swap that lost ``drop``: some probes, chosen by chance, are not answered any more."""
    lost = rng.random(N_PROBES) < drop
    return replace(before, chances=np.where(lost, 1e-9, before.chances))


def false_alarms(repetitions: int, seed: int) -> Table:
    """P(any false alarm) and episodes in a year in which nothing changed."""
    rows = [[name, *_by_kind(name, repetitions, seed)] for name in THEIRS]
    for level in (AVERAGED, ONE_RUN):
        looks, pages = _watched_years(level, repetitions, seed)
        rows += [[f"{level}: pages", *pages], [f"{level}: looks of level 2", *looks]]
    return Table(
        "A year of hourly looks in which nothing changed (§0)",
        f"{N_PROBES} probes, {HOURS:,} hours: probability of any false alarm, and false episodes a year; in brackets "
        "the specification. recallwatch: `noise_floor` and `level_of` from 24 replays, `observe` and `alarms` each "
        "hour, and only at an alarm `compare` at the year's error budget; `quiet` then starts the detectors anew.",
        ("", *KINDS),
        rows,
        seed,
        repetitions,
    )


def delays(repetitions: int, seed: int) -> Table:
    """Looks until a drop is seen, and whether level 2 then proves it."""
    rows = []
    for level in (AVERAGED, ONE_RUN):
        for kind, theirs in zip(KINDS, ("4/2/1", "5/2/1", "11/4/1"), strict=True):
            detected, paged = [], []
            for drop in DROPS:
                rng = np.random.default_rng(seed)
                looks = [_delay(kind, level, drop, rng) for _ in range(repetitions)]
                median = np.median([first for first, _ in looks])
                detected.append(f"{median:.0f}" if median <= LATEST else "–")
                paged.append(percent(float(np.mean([page for _, page in looks]))))
            rows.append([f"{kind}, {level}", "/".join(detected), theirs, " / ".join(paged)])
    return Table(
        "Delay of a drop on a noisy target (§0)",
        f"{N_PROBES} probes; a swap that the target does not tell of loses 5, 8 or 20 %. Median number of looks until "
        f"level 1 sees it, and the share that level 2 pages at that look (within {LATEST} looks).",
        ("", "looks at −5/−8/−20 %", "specification", "paged at −5/−8/−20 %"),
        rows,
        seed,
        repetitions,
        after="Level 2 asks whether the population of queries is worse, not only these probes: at −5 % with 200 "
        "queries that is often not provable at 1 %, and the verdict says so. A swap that shows in the deployment's "
        "name or in the rankings is looked at in the first cycle.",
    )


def benign(repetitions: int, seed: int) -> Table:
    """A deterministic target that is changed twelve times a year for neither better nor worse."""
    rng = np.random.default_rng(seed)
    bare = Policy(gating=POLICY.gating, resamples=POLICY.resamples, floor_absolute=0.0, floor_relative=0.0)
    counts = {"with the floors": POLICY, "without floors": bare}
    pages = dict.fromkeys(counts, 0)
    for _ in range(repetitions):
        sample = swap((12, N_PROBES), rng)
        for name, policy in counts.items():
            pages[name] += any(
                _pages(_run(sample.baseline[row], "a"), _run(sample.candidate[row], "b"), policy, row + 1, rng)
                for row in range(12)
            )
    return Table(
        "Twelve benign changes a year of a deterministic target (§0)",
        f"{RECALL} on {N_PROBES} queries: probability of any false page in the year, with the year's error budget "
        "spent look by look. Specification: 5.5 %.",
        ("policy", "any false page"),
        [[name, percent(count / repetitions, repetitions)] for name, count in pages.items()],
        seed,
        repetitions,
    )


def _by_kind(name: str, repetitions: int, seed: int) -> Iterator[str]:
    """False episodes of one of the usual methods, for each kind of target, beside the specification."""
    for kind, their in zip(KINDS, THEIRS[name], strict=True):
        rng = np.random.default_rng(seed)
        years = (target(kind, rng).scores(REPLAYS + 1 + HOURS, rng) for _ in range(repetitions))
        yield f"{_told([_episodes(_alarms(name, scores)) for scores in years])} ({their})"


def _watched_years(level: str, repetitions: int, seed: int) -> tuple[list[str], list[str]]:
    """Looks and pages of two levels, for each kind of target."""
    looks, pages = [], []
    for kind, their in zip(KINDS, ("0", "0", "2 %, .02"), strict=True):
        rng = np.random.default_rng(seed)
        results = [_watch(target(kind, rng), level, rng) for _ in range(repetitions)]
        looks.append(_told([each for each, _ in results]))
        pages.append(f"{_told([each for _, each in results])} ({their})")
    return looks, pages


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


class Watcher:
    """Level 1 over one target, calibrated by replays; level 2 at its alarms."""

    def __init__(self, watched: Target, level: str, rng: np.random.Generator) -> None:
        replays = watched.scores(REPLAYS + 1, rng)
        means = [{SERIES: float(mean)} for mean in replays[:-1].mean(axis=1)]
        self.baseline = replays[-1]
        noise = noise_floor.noise_floor(means, [0.1], queries=N_PROBES)
        self.state = DetectorState(baseline_run_id="baseline", noise=noise)
        self.level, self.runs = float(self.baseline.mean()), 1
        if level == AVERAGED:
            self.level, self.runs = e_detector.level_of(self.level, noise, SERIES)
        self.looks = 0

    def alarms(self, mean: float) -> bool:
        """Whether level 1 alarms after this run; it then starts anew from here."""
        series = e_detector.observe(
            self.state.series.get(SERIES, Series()),
            baseline=self.level,
            now=mean,
            deviation=self.state.noise.deviations[SERIES],
            queries=N_PROBES,
            baseline_runs=self.runs,
        )
        self.state = replace(self.state, series={SERIES: series})
        if not e_detector.alarms(self.state.series):
            return False
        self.state = e_detector.quiet(self.state, {SERIES: mean})
        self.looks += 1
        return True

    def pages(self, scores: Floats, rng: np.random.Generator) -> bool:
        """Whether level 2 pages at the look that it takes now."""
        return _pages(_run(self.baseline, "baseline"), _run(scores, "now"), POLICY, self.looks, rng)


def _watch(watched: Target, level: str, rng: np.random.Generator) -> tuple[int, int]:
    """Looks that level 1 caused in a year in which nothing changed, and pages."""
    watcher, pages = Watcher(watched, level, rng), 0
    scores = watched.scores(HOURS, rng)
    for hour, mean in enumerate(scores.mean(axis=1).tolist()):
        if watcher.alarms(mean):
            pages += watcher.pages(scores[hour], rng)
    return watcher.looks, pages


def _delay(kind: str, level: str, drop: float, rng: np.random.Generator) -> tuple[int, bool]:
    """Looks after a drop until level 1 alarms, and whether level 2 pages then."""
    watched = target(kind, rng)
    watcher = Watcher(watched, level, rng)
    for mean in watched.scores(BEFORE, rng).mean(axis=1).tolist():
        watcher.alarms(mean)
    for look, scores in enumerate(fallen(watched, drop, rng).scores(LATEST, rng), start=1):
        if watcher.alarms(float(scores.mean())):
            return look, watcher.pages(scores, rng)
    return LATEST + 1, False


def _run(values: Floats, run_id: str) -> Measured:
    return measured(SUITE, {RECALL: values}, run_id=run_id)


def _pages(before: Measured, after: Measured, policy: Policy, look: int, rng: np.random.Generator) -> bool:
    """Whether level 2 pages at the given look of the year."""
    alpha = e_detector.alpha_of_silent_look(look, alpha_page=policy.alpha_page, alpha_year=policy.alpha_year)
    evidence = compare(pair_all([(before, after)], policy), policy, rng=rng)
    return any(has_fallen(each, replace(policy, alpha_page=alpha)) for each in evidence)
