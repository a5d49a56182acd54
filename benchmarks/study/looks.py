"""Looks, false pages, delays and power over a year of hourly cycles (§2b, §3.7).

``python -m benchmarks.study.looks [--quick] [--write]`` computes this section alone.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from benchmarks.study.budget import spending
from benchmarks.study.cycles import POLICY, Simulation
from benchmarks.study.look_power import powers
from benchmarks.study.scenarios import SCENARIOS, Service, damaged
from benchmarks.study.section import write_section
from benchmarks.study.table import Table, markdown, percent

N_QUERIES, YEAR = 200, 8_760
DROPS = (0.02, 0.05, 0.08, 0.20)
BEFORE, AFTER = 60, 60
"""Cycles before and after a drop."""
LEAK_A_DAY, LEAK_DAYS = 0.002, 90
GOALS = {"ANN, ": "4/2/1", "sampling answerer": "5/2/1", "autocorrelated drift": "11/4/1"}
DELAYED = (
    *((name, N_QUERIES) for name in SCENARIOS if name != "sticky replicas"),
    ("ANN, 5 % of queries", 1_000),
    ("sampling answerer", 1_000),
)
"""Scenarios and numbers of queries for delays."""
Apply = Callable[..., Iterable[Any]]
"""`map`, or that of a pool of processes."""


def looks(repetitions: int, seed: int, apply: Apply = map) -> Iterator[Table]:
    """Years, delays, leaks and power; ``repetitions`` counts the years of each scenario."""
    yield _years(repetitions, seed, apply)
    yield _delays(max(2 * repetitions // 3, 4), seed, apply)
    yield _leaks(max(repetitions // 4, 2), seed, apply)
    yield from powers(max(6 * repetitions, 20), seed)


def _years(repetitions: int, seed: int, apply: Apply) -> Table:
    """A year in which nothing gets worse: looks and false pages."""
    years = dict(zip(SCENARIOS, apply(partial(_years_of, repetitions=repetitions, seed=seed), SCENARIOS), strict=True))
    all_pages = {name: sum(has_paged for _, has_paged in of_scenario) for name, of_scenario in years.items()}
    rows = []
    for name, of_scenario in years.items():
        counts = [len(hours) for hours, _ in of_scenario]
        settled = float(np.mean([sum(hour > BEFORE for hour in hours) for hours, _ in of_scenario]))
        mean = f"{np.mean(counts):.1f} ± {2 * np.std(counts) / np.sqrt(repetitions):.1f}"
        rows.append([name, mean, f"{max(counts)}", f"{settled:.2f}", f"{all_pages[name]} of {repetitions}"])
    total, paged = repetitions * len(SCENARIOS), sum(all_pages.values())
    rows.append(["all", "", "", "", f"{paged} of {total:,}: {percent(paged / total, total)}"])
    return Table(
        "A year of hourly cycles in which nothing gets worse (§3.7)",
        f"{N_QUERIES} queries in clusters of five, recall@10 (and answer F1), {YEAR:,} cycles from first contact. "
        "Looks are those that a change asks for; results that were judged before keep their verdict and are not "
        f"counted. A year ends at its first page. Budget: {POLICY.alpha_year:.0%} of the years.",
        ("", "looks a year", "most", f"after {BEFORE} hours", "years with a false page"),
        rows,
        seed,
        repetitions,
        error="repetitions are years of each scenario; the intervals are two standard errors",
        after=_after_years(all_pages, repetitions),
    )


def _years_of(name: str, *, repetitions: int, seed: int) -> list[tuple[list[int], bool]]:
    years = []
    for repetition in range(repetitions):
        rng = np.random.default_rng([seed, *name.encode(), repetition])
        years.append(_year(SCENARIOS[name](YEAR, N_QUERIES, rng), rng))
    return years


def _after_years(pages: Mapping[str, int], repetitions: int) -> str:
    share = sum(pages.values()) / (repetitions * len(pages))
    worst = max(pages, key=lambda name: pages[name])
    return (
        f"Over all years the share with a false page is {'within' if share <= POLICY.alpha_year else '**beyond**'} the "
        f"yearly budget; the scenario with the most is {worst}, {percent(pages[worst] / repetitions, repetitions)} of "
        "its years. A churning target spends its first looks in the hours before its churn is known; afterwards it "
        "takes next to none. Noise too rare for the first replays is judged like churn at first."
    )


def _year(service: Service, rng: np.random.Generator) -> tuple[list[int], bool]:
    """Hours of the new looks of a year, up to the first page; and whether there is one."""
    hours = []
    for cycle in Simulation(service, rng).cycles():
        if cycle.is_new:
            hours.append(cycle.hour)
        if cycle.pages:
            return hours, True
    return hours, False


def _delays(repetitions: int, seed: int, apply: Apply) -> Table:
    """Cycles from a drop to the look that it causes and to the page."""
    return Table(
        "Delay of a drop (§0, §2b, §3.7)",
        f"After {BEFORE} cycles the service loses 2, 5, 8 or 20 % of the relevant documents that it found (the "
        "sampling answerer: of its right answers) and changes nothing else. Median number of cycles until the drop "
        f"causes a look, and until it pages, within {AFTER} cycles (– if the median is later); in brackets the share "
        "that is paged by then.",
        ("", "look at −5/−8/−20 %", "goal", "look at −2 %", *(f"page at −{drop:.0%}" for drop in DROPS)),
        list(apply(partial(_delay_row, repetitions=repetitions, seed=seed), DELAYED)),
        seed,
        repetitions,
        after="A look asks whether the population of queries is worse, at the level that the budget leaves: with 200 "
        "queries in 40 clusters a drop of 2 % is hardly ever provable, and one of 5 % not always. The goal for answers "
        "is missed where each query is asked once and answered rightly or wrongly: one run then varies by two points, "
        "half of a drop of 5 %, and the look compares two such runs, so that it rarely proves a drop of 8 %. The goal "
        "was set for the mean of five answers, whose noise 1,000 queries have.",
    )


def _delay_row(which: tuple[str, int], *, repetitions: int, seed: int) -> list[str]:
    name, n_queries = which
    first, paged = [], []
    for drop in DROPS:
        lost = drop * np.repeat([0.0, 1.0], [BEFORE, AFTER])
        delays = []
        for repetition in range(repetitions):
            rng = np.random.default_rng([seed, 1, n_queries, *name.encode(), repetition])
            service = SCENARIOS[name](BEFORE + AFTER, n_queries, rng)
            delays.append(_delay(_worse(service, lost, rng), BEFORE, rng))
        first.append(_median([look for look, _ in delays]))
        pages = [page for _, page in delays]
        paged.append(f"{_median(pages)} ({percent(float(np.mean(np.isfinite(pages))))})")
    return [f"{name}; {n_queries:,} queries", "/".join(first[1:]), _goal(name), first[0], *paged]


def _goal(name: str) -> str:
    return next((goal for start, goal in GOALS.items() if name.startswith(start)), "")


def _worse(service: Service, lost: np.ndarray, rng: np.random.Generator) -> Service:
    """The service with a loss where its noise is: in the answers of an answerer, else in the rankings."""
    return service.with_wrong_answers(lost) if service.right is not None else damaged(service, lost, rng)


def _delay(service: Service, start: int, rng: np.random.Generator) -> tuple[float, float]:
    """Cycles from ``start`` to the first new look, and to the first page; infinite where there is none."""
    look = np.inf
    for cycle in Simulation(service, rng).cycles(judged_from=start):
        if cycle.hour < start:
            continue
        if cycle.is_new and np.isinf(look):
            look = cycle.hour - start + 1
        if cycle.pages:
            return look, cycle.hour - start + 1
    return look, np.inf


def _median(delays: Sequence[float]) -> str:
    median = float(np.median(delays))
    return f"{median:.0f}" if np.isfinite(median) else "–"


def _leaks(repetitions: int, seed: int, apply: Apply) -> Table:
    """A leak of 0.2 points a day: how much is lost when the first look and the page come."""
    return Table(
        "A leak of 0.2 points a day (§2, §3.7)",
        f"After {BEFORE} cycles the mean falls by 0.2 points every day, for {LEAK_DAYS} days. Median number of days "
        "until the first look and until the page; in brackets the points lost by then.",
        ("", "days to the first look", "days to the page", f"paged within {LEAK_DAYS} days"),
        list(apply(partial(_leak_row, repetitions=repetitions, seed=seed), DELAYED)),
        seed,
        repetitions,
    )


def _leak_row(which: tuple[str, int], *, repetitions: int, seed: int) -> list[str]:
    name, n_queries = which
    days = np.maximum(np.arange(BEFORE + 24 * LEAK_DAYS) - BEFORE, 0) // 24
    delays = []
    for repetition in range(repetitions):
        rng = np.random.default_rng([seed, 2, n_queries, *name.encode(), repetition])
        service = SCENARIOS[name](len(days), n_queries, rng)
        delays.append(_delay(_worse(service, days * LEAK_A_DAY / service.level, rng), BEFORE, rng))
    looked, pages = (np.array(column) / 24 for column in zip(*delays, strict=True))
    share = percent(float(np.mean(np.isfinite(pages))))
    return [f"{name}; {n_queries:,} queries", _days(looked), _days(pages), share]


def _days(days: np.ndarray) -> str:
    median = float(np.median(days))
    return f"{median:.0f} ({100 * LEAK_A_DAY * median:.1f})" if np.isfinite(median) else "–"


def main() -> None:
    """Compute the section; with ``--write`` put it in its place on the page."""
    from benchmarks.study.tables import SEED, TABLES

    tables = []
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        for table in looks(TABLES["looks.looks"]["--quick" in sys.argv[1:]], SEED, pool.map):
            tables.append(table)
            print(markdown(table), flush=True)
    tables.append(spending(TABLES["budget.spending"]["--quick" in sys.argv[1:]], SEED))
    print(markdown(tables[-1]))
    if "--write" in sys.argv[1:]:
        write_section(tables, mark="§3.7", after="Power of the sign-flip test")


if __name__ == "__main__":
    main()
