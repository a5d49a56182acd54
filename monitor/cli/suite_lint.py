"""`recallwatch suite lint`: errors and weaknesses of suites."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monitor.cli.result import PASSED, REGRESSED, Result
from monitor.cli.terminal import AsJson, SuiteFolders, finish, perform

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import RenderableType

    from monitor.suites.linting import Finding

MAX_PER_RULE = 20
"""Findings of one rule that are printed; ``--json`` prints all."""

_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}


def suite_lint(folders: SuiteFolders, as_json: AsJson = False) -> None:
    """Print errors and weaknesses of suites. Exit code 1 if there is an error, 0 with warnings only."""
    finish(perform(lint_suites(folders)), as_json)


async def lint_suites(folders: Sequence[str]) -> Result:
    """Errors and weaknesses of suites."""
    from functools import partial

    from monitor.reports.terminal import plain
    from monitor.suites import locating
    from monitor.suites.generation.review import unreviewed
    from monitor.suites.linting import Severity, lint
    from monitor.suites.reading import has_corpus, read_corpus, read_suite

    output: list[RenderableType] = []
    data: list[dict[str, Any]] = []
    for folder in map(locating.suite_folder, folders):
        suite = read_suite(folder)
        findings = [*unreviewed(folder), *lint(suite, partial(read_corpus, folder) if has_corpus(folder) else None)]
        counts = {f"{severity}s": sum(each.severity is severity for each in findings) for severity in Severity}
        output += _findings_output(str(folder), findings, counts)
        rows = [plain(finding) for finding in findings]
        data.append({"suite": suite.name, "folder": str(folder), **counts, "findings": rows})
    return Result(output, {"suites": data}, REGRESSED if any(row["errors"] for row in data) else PASSED)


def _findings_output(folder: str, findings: Sequence[Finding], counts: Mapping[str, int]) -> Iterator[RenderableType]:
    """One line for each finding; of a rule with many findings only the first ones."""
    from rich.markup import escape

    colour = "red" if counts["errors"] else "yellow" if counts["warnings"] else "green"
    totals = ", ".join(f"{count} {name.removesuffix('s') if count == 1 else name}" for name, count in counts.items())
    yield f"[{colour}]{'✗' if counts['errors'] else '✓'}[/] {escape(folder)}: {totals}"
    by_rule: dict[str, list[Finding]] = {}
    for finding in findings:
        by_rule.setdefault(finding.rule, []).append(finding)
    for rule, of_rule in by_rule.items():
        for finding in of_rule[:MAX_PER_RULE]:
            sentence = escape(f"{finding.where} {finding.text}; {finding.remedy}")
            yield f"  [{_COLOURS[finding.severity]}]{finding.severity}[/] {rule}  {sentence}"
        if len(of_rule) > MAX_PER_RULE:
            yield f"  … and {len(of_rule) - MAX_PER_RULE:,} more of {rule}; --json has them all"
