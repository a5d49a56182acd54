"""Peers on the very same pairs: how often each calls a benign swap a regression, and how often a real one (§5)."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from scipy import stats

from benchmarks.study.generator import Swap, swap
from benchmarks.study.peer import PEERS
from benchmarks.study.table import Table, percent
from monitor.model.measurements import Floats
from monitor.statistics.exact_p_values import sign_flip_p

ALPHA = 0.05
CLUSTERED = {"cluster_size": 5, "shared": 0.46}
SCENARIOS = {
    "false alarms, n = 200": (200, 0.0, {}),
    "false alarms, n = 1,000": (1_000, 0.0, {}),
    "false alarms, 40 clusters of 5": (200, 0.0, CLUSTERED),
    "found −5 %, n = 200": (200, 0.05, {}),
    "found −8 %, n = 200": (200, 0.08, {}),
    "found −5 %, n = 1,000": (1_000, 0.05, {}),
}
PYTHONS = "STUDY_PYTHON_{}"
"""Environment variable that names the interpreter of a peer that cannot be installed beside recallwatch."""


def peers(repetitions: int, seed: int) -> Table:
    """All of them, and two thresholds, and Student's t."""
    samples = {
        name: swap((repetitions, size), np.random.default_rng(seed), drop=drop, **kind)
        for name, (size, drop, kind) in SCENARIOS.items()
    }
    ours = {
        "**recallwatch**, sign-flip at 5 %": _recallwatch,
        "SciPy ttest_rel": lambda pairs, _: _t(pairs),
        "threshold 2 %": lambda pairs, _: _threshold(pairs, 0.02),
        "threshold 5 %": lambda pairs, _: _threshold(pairs, 0.05),
    }
    rows = [[name, *(_share(decide(samples[each], each)) for each in SCENARIOS)] for name, decide in ours.items()]
    absent = []
    for name in PEERS:
        verdicts = [_asked(name, samples[each]) for each in SCENARIOS]
        if any(each is None for each in verdicts):
            absent.append(name)
        else:
            rows.append([name, *(_share(each) for each in verdicts if each is not None)])
    return Table(
        "Peers on the same pairs (§5)",
        "recall@10. Share of the pairs that each calls a regression; one-sided at 5 % where it can be told, else as it "
        "comes. The clusters of five have an intra-cluster correlation of 0.33, which only recallwatch is told.",
        ("", *SCENARIOS),
        rows,
        seed,
        repetitions,
        after=_after(absent),
    )


def _after(absent: list[str]) -> str:
    command = (
        "retrieval-eval-gate and trulens test at 5 % two-sided and then look at the sign, which is 2.5 % one-sided: "
        "fewer false alarms for less power. retrieval-observatory asks whether a two-sided percentile interval lies "
        "below zero. The thresholds know no sample size. apache-otava looks for a change in a series, here of "
        "twelve runs before and twelve after: it is right that something changed, and cannot tell whether it is worse "
        "for other queries than these; under a benign swap it alarms where these went down by chance.\n\n"
        "retrieval-eval-gate, retrieval-observatory and evalsig install beside recallwatch (`pip install "
        "'recallwatch[peers]'`). trulens 2.16 needs rich below 14 and apache-otava 0.8 NumPy 2.2, so neither does: "
        "each was run by an interpreter of its own, named by `STUDY_PYTHON_TRULENS` and `STUDY_PYTHON_APACHE_OTAVA`."
    )
    return command if not absent else f"{command}\n\nNot installed when this was written: {', '.join(absent)}."


def _recallwatch(pairs: Swap, name: str) -> list[bool]:
    size = int(SCENARIOS[name][2].get("cluster_size", 1))
    by_cluster = pairs.differences.reshape(len(pairs.differences), -1, size).sum(axis=2)
    return [sign_flip_p(-each) <= ALPHA for each in by_cluster]


def _t(pairs: Swap) -> Floats:
    return np.asarray(stats.ttest_rel(pairs.candidate, pairs.baseline, axis=1, alternative="less").pvalue <= ALPHA)


def _threshold(pairs: Swap, share: float) -> Floats:
    return np.asarray(pairs.candidate.mean(axis=1) < (1 - share) * pairs.baseline.mean(axis=1))


def _asked(name: str, pairs: Swap) -> list[bool] | None:
    """The peer's decisions; None if it is not installed."""
    buffer = io.BytesIO()
    np.savez(buffer, before=pairs.baseline, after=pairs.candidate)
    python = os.environ.get(PYTHONS.format(name.upper().replace("-", "_")), sys.executable)
    script = Path(__file__).with_name("peer.py")
    process = subprocess.run([python, str(script), name], input=buffer.getvalue(), capture_output=True, check=False)
    if process.returncode:
        if b"ModuleNotFoundError" not in process.stderr:
            raise RuntimeError(f"{name}: {process.stderr.decode()}")
        return None
    return [bool(each) for each in json.loads(process.stdout)]


def _share(decisions: list[bool] | Floats) -> str:
    return percent(float(np.mean(decisions)))
