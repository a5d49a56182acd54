"""The samples of runs, formatted again only where a cycle differs from the one before."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from monitor.adapters.exporters.families import INDEX_RECALL, Block, CycleResult, run_block, verdict_block
from monitor.model.measurements import Measured

Place = tuple[str, str]
"""Target and suite."""


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """The inputs of the samples of a suite. A repeated verdict has the same objects as the one before."""

    objects: tuple[object, ...]
    values: tuple[object, ...]

    @classmethod
    def of(cls, result: CycleResult, measured: Measured) -> Inputs:
        """The inputs for one suite of a cycle."""
        verdict, suite = result.verdict, measured.suite
        return cls(
            (suite, measured.measurements, measured.shown_only, verdict.evidence, verdict.policy),
            (
                *(verdict.target, verdict.name, measured.run.deployment, measured.judged_share),
                *(measured.counts, measured.labels, measured.replies),
                *(verdict.insights.get(suite.name), verdict.insights.get(INDEX_RECALL)),
            ),
        )

    def is_same(self, other: Inputs) -> bool:
        """Whether both give the same samples."""
        return self.values == other.values and all(
            mine is theirs for mine, theirs in zip(self.objects, other.objects, strict=True)
        )


@dataclass(slots=True)
class RunBlocks:
    """The latest samples of each suite."""

    _latest: dict[Place, tuple[Inputs, Block]] = field(default_factory=dict)

    def of_cycle(self, result: CycleResult) -> dict[Place, tuple[str, Block]]:
        """The samples of every suite of a cycle and, without a suite, of its target, each with the schedule."""
        blocks = {(result.verdict.target, each.suite.name): self._of(result, each) for each in result.measured}
        blocks[result.verdict.target, ""] = verdict_block(result)
        return {place: (result.schedule, block) for place, block in blocks.items()}

    def _of(self, result: CycleResult, measured: Measured) -> Block:
        """The samples of a suite of a cycle."""
        place, inputs = (result.verdict.target, measured.suite.name), Inputs.of(result, measured)
        before = self._latest.get(place)
        if before is None or not before[0].is_same(inputs):
            before = self._latest[place] = inputs, run_block(result, measured)
        return before[1]

    def keep_only(self, places: Collection[Place]) -> None:
        """Forget the suites that are no longer planned."""
        self._latest = {place: each for place, each in self._latest.items() if place in places}
