"""Rule-made passages and questions about them: the half of the fine-tuning data that is not about structure."""

from __future__ import annotations

import random
from collections.abc import Iterator

_ROLES = ("surveyor", "engraver", "botanist", "ferryman", "printer", "watchmaker", "composer", "mason", "potter",
          "apothecary", "beekeeper", "astronomer", "bookbinder", "weaver", "stonecutter", "cartographer")  # fmt: skip
_NAMES = ("Odell", "Marsh", "Tarrant", "Quill", "Hobson", "Varga", "Lindqvist", "Amery", "Castell", "Dunne", "Ferrars",
          "Gorse", "Ibbotson", "Jessop", "Kemble", "Loxley", "Merrow", "Nansen", "Pell", "Rusk")  # fmt: skip
_WORKS = ("a map of the western marshes", "a catalogue of alpine mosses", "a clock for the town hall",
          "a peal of six bells", "an atlas of the southern sky", "a guide to the old canals", "a stone pier",
          "a cantata for the jubilee", "a history of the guild", "a set of copper engravings", "a glazed fountain",
          "a herbal of the fenland", "a tapestry of the siege", "a register of the parish mills")  # fmt: skip
_PATRONS = ("the river authority", "a brewing family", "the bishop", "the railway company", "the botanical society",
            "the garrison", "a widowed countess", "the merchants' hall", "the lighthouse board")  # fmt: skip
_TOWNS = ("Ashmere", "Colbury", "Dunwater", "Ellingham", "Farrow", "Greatwick", "Hallowby", "Ingleford", "Kestrel Bay",
          "Lowmoor", "Netherby", "Oldcastle", "Penhollow", "Ravensford")  # fmt: skip
_CAUSES = ("a flood had ruined the first draft", "the paper was late from the mill",
           "the winter was too hard to travel", "two apprentices fell ill", "the patron changed his mind",
           "the workshop burned down")  # fmt: skip
_FATES = ("is kept in the town museum", "was sold at auction", "was lost at sea", "hangs in the assembly room",
          "was broken up for its metal", "was given to the university")  # fmt: skip


def questions(count: int, *, seed: int) -> Iterator[tuple[str, str]]:
    """Pairs of a question and the passage of four sentences that answers it; no passage is repeated."""
    rng = random.Random(seed)  # noqa: S311 - sentences, not secrets
    passages_seen: set[str] = set()
    while len(passages_seen) < count:
        question, passage = _asked(rng)
        if passage not in passages_seen:
            passages_seen.add(passage)
            yield question, passage


def _asked(rng: random.Random) -> tuple[str, str]:
    role, name, work, patron, town, cause, fate = (
        rng.choice(words) for words in (_ROLES, _NAMES, _WORKS, _PATRONS, _TOWNS, _CAUSES, _FATES)
    )
    year, months, crowns = rng.randint(1720, 1930), rng.randint(3, 40), rng.randint(2, 90) * 10
    passage = (
        f"In {year} the {role} {name} of {town} was asked by {patron} for {work}. The fee was {crowns} crowns, half of "
        f"it in advance. It took {months} months, because {cause}. Today the piece {fate}."
    )
    question = (
        f"Who made {work} for {patron}?",
        f"When did {name} the {role} begin work on {work}?",
        f"How much was {name} of {town} paid for {work}?",
        f"Why did {work} by the {role} {name} take {months} months?",
        f"What became of {work} from {town}?",
        f"Which patron wanted {work} from the {role} in {town}?",
    )
    return rng.choice(question), passage
