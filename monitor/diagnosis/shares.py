"""Attribution of a difference: its shares by component, and the sentence that describes them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Component(StrEnum):
    """A component between a query and the score of its answer."""

    RETRIEVAL = "retrieval"
    GENERATION = "generation"
    JUDGE = "judge"


_OBSERVED = {
    Component.RETRIEVAL: ("retrieval found the evidence less often", "retrieval found the evidence more often"),
    Component.GENERATION: ("generation used the evidence less well", "generation used the evidence better"),
    Component.JUDGE: ("the judge grades the same answers lower", "the judge grades the same answers higher"),
}
_REPLAYED = _OBSERVED | {
    Component.RETRIEVAL: ("retrieval brought worse contexts", "retrieval brought better contexts"),
    Component.GENERATION: ("generation made less of the same contexts", "generation made more of the same contexts"),
}
KITAGAWA, REPLAY = "kitagawa/1", "replay/1"
"""Versions of the methods; they change when the same scores lead to other numbers."""


@dataclass(frozen=True, slots=True)
class Share:
    """The part of one component in a difference of mean scores, in [-1, 1]; negative is worse."""

    name: Component
    difference: float
    lower: float
    upper: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval excludes zero; only then is the component called a cause."""
        return self.lower > 0 or self.upper < 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """A difference of mean answer scores, after minus before, and the shares that add up to it."""

    method: str
    difference: float
    lower: float
    upper: float
    shares: tuple[Share, ...]
    n_queries: int
    n_clusters: int
    note: str = ""
    """Assumptions of the estimate."""

    @property
    def sentence(self) -> str:
        """The attribution in plain words, in points; only shares that exclude zero are called a cause."""
        causes = _OBSERVED if self.method == KITAGAWA else _REPLAYED
        reasons = [self._reason(share, causes[share.name]) for share in self.shares if share.excludes_zero]
        # “the evidence” is named once.
        text = "".join(reasons[:1] + [f", {reason.replace('the evidence', 'it')}" for reason in reasons[1:]])
        unclear = [each for each in self.shares if not each.excludes_zero]
        doubt = " and ".join(f"{each.name} ({_signed(each.difference)})" for each in unclear)
        parts = f"the part{'s' if len(unclear) > 1 else ''} of {doubt} cannot be distinguished from zero"
        return self._whole() + (f": {text}" if reasons else "") + (f"; {parts}" if unclear else "")

    def _whole(self) -> str:
        points = f"{abs(self.difference) * 100:.1f}"
        if points == "0.0":
            return "answers are as good as before"
        moved = f"answers {'fell' if self.difference < 0 else 'rose'} {points} points"
        is_clear = self.lower > 0 or self.upper < 0
        return moved if is_clear else f"{moved}, which cannot be distinguished from zero"

    def _reason(self, share: Share, causes: tuple[str, str]) -> str:
        because = f"because {causes[share.difference > 0]}"
        points = f"{abs(share.difference) * 100:.1f}"
        if self.difference * share.difference <= 0 or abs(self.difference) < 5e-4:
            return f"{points} {'gained' if share.difference > 0 else 'lost'} {because}"
        if any(each.difference * self.difference < 0 for each in self.shares):
            return f"{points} {because}"  # a percentage above 100 would puzzle
        return f"{points} ({share.difference / self.difference:.0%}) {because}".replace("%", " %")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The mean score of one generator with oracle contexts, and the distance from it with retrieved contexts."""

    mean: float
    lower: float
    upper: float
    left_before: Share
    left_after: Share


def _signed(difference: float) -> str:
    return f"{round(difference * 100, 1) + 0.0:+.1f}".replace("-", "−")  # no minus before a zero
