"""Attribution by context replay, for `recallwatch compare --attribution`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from rich.console import Console
from rich.text import Text

from monitor.diagnosis.insights import attribution_to_dict
from monitor.diagnosis.plain import finite
from monitor.diagnosis.replayed_scores import MeasureReplay
from monitor.errors import ConfigError
from monitor.model.measurements import Measured
from monitor.plan import Plan
from monitor.ports.store import Store
from monitor.probing.context_replay import ContextReplayResult, Generator, replay_contexts
from monitor.probing.grading import Grader
from monitor.service import wiring
from monitor.service.wiring import CheckedConfig, TargetClients


class Attributed(NamedTuple):
    """A replay as the command prints it, and as plain values."""

    output: Text
    data: dict[str, Any]


async def replay_stored(checked: CheckedConfig, before: Measured, after: Measured, plan: Plan) -> Attributed:
    """Replay two stored runs with the present answerer of the target."""
    target = after.run.target
    if target not in checked.answerers:
        raise ConfigError(f"targets.{target}.answerer", "is missing; --attribution sends new queries to it")
    clients = wiring.connect(checked, target)
    try:
        texts = wiring.texts_of(checked.config, after.suite.name)
        async with wiring.open_store(checked.config) as store:
            return await replay_pair((before, after), {target: clients}, texts, plan, store)
    finally:
        await clients.close()


async def replay_pair(
    runs: tuple[Measured, Measured],
    clients: Mapping[str, TargetClients],
    texts: Mapping[str, str],
    plan: Plan,
    store: Store,
) -> Attributed:
    """Replay two runs with every answerer that is reachable and accepts contexts; the candidate's must."""
    before, after = runs
    present = clients[after.run.target]
    if present.answerer is None or not present.answerer.takes_contexts:
        problem = "accepts no contexts, so they cannot be exchanged; name {contexts} in its request"
        raise ConfigError(f"targets.{after.run.target}.answerer", problem)
    earlier = clients[before.run.target].answerer if before.run.target != after.run.target else None
    generators = [Generator(answerer=earlier, live=before)] if earlier and earlier.takes_contexts else []
    generators.append(Generator(answerer=present.answerer, live=after))
    with Console(stderr=True).status("answering from the contexts of both runs"):
        grade = Grader(present.judge, store, wiring.utc_now).regrade if present.judge else None
        result = await replay_contexts(before, after, generators, texts, plan.policy, grade=grade)
    return Attributed(Text("\n".join(_lines(result))), _to_dict(result))


def _lines(result: ContextReplayResult) -> Sequence[str]:
    lines = [f"{result.suite}: replayed {result.n_queries} queries."]
    if result.refusal:
        lines.append(f"{result.refusal[0].upper()}{result.refusal[1:]}.")
    for measure, replayed in result.measures.items():
        lines += [f"{measure}: {sentence}." for sentence in _sentences(replayed)]
    if not result.refusal and not result.measures:
        lines.append("The policy gates on no score of an answer text, so nothing is attributed.")
    if result.failed:
        lines.append(f"{result.failed} queries could not be replayed and are left out.")
    return lines


def _sentences(replayed: MeasureReplay) -> list[str]:
    sentences = [replayed.attribution.sentence] if replayed.attribution else []
    sentences += [each.sentence for each in replayed.calibrations]
    if replayed.ceiling:
        best = replayed.ceiling
        sentences.append(
            f"with the relevant texts as contexts the present generator reaches {best.mean:.3f}; retrieval leaves "
            f"{-100 * best.left_before.difference:.1f} points of that unused in the baseline and "
            f"{-100 * best.left_after.difference:.1f} now"
        )
    return sentences


def _to_dict(result: ContextReplayResult) -> dict[str, Any]:
    return {
        "suite": result.suite,
        "refusal": result.refusal or None,
        "n_queries": result.n_queries,
        "failed": result.failed,
        "measures": {
            measure: {
                "attribution": attribution_to_dict(each.attribution, measure) if each.attribution else None,
                "calibrations": [
                    {key: finite(value) for key, value in asdict(bias).items()} | {"sentence": bias.sentence}
                    for bias in each.calibrations
                ],
                "ceiling": asdict(each.ceiling) if each.ceiling else None,
            }
            for measure, each in result.measures.items()
        },
    }
