"""Answer scores, the attribution of their drops, and recall headroom."""

from __future__ import annotations

from dashboards.panels import PROMETHEUS, Json, lines, page, query, stat, variable
from dashboards.series import DASHED, LOSS, SCRAPED, SWAPS, TARGETS
from monitor.evaluation.measures import LEADING
from monitor.model.measures import Needs

OF_SUITE = 'SELF, target=~"$target", suite=~"$suite"'

NOW = [
    stat(
        "Answers scored",
        "Answers of the latest run that did not fail and have a reference.",
        query(f'sum(recallwatch_run_answers{{{OF_SUITE}, outcome="scored"}})'),
    ),
    stat(
        "Failed answers",
        "Failures are counted and never scored as zero.",
        query(f'sum(recallwatch_run_answers{{{OF_SUITE}, outcome="failed"}})'),
    ),
    stat(
        "Abstained or empty",
        "Answers such as “I do not know”, and empty ones; both are included in the scored answers.",
        query(f'sum(recallwatch_run_answers{{{OF_SUITE}, outcome=~"abstained|empty"}})'),
    ),
    stat(
        "Evidence within reach",
        "Share of queries whose last needed evidence is within the answerer's contexts.",
        query(f'min(recallwatch_headroom_ratio{{{OF_SUITE}, zone="inside"}})'),
        unit="percentunit",
        decimals=1,
    ),
]
SCORES = [
    lines(
        "Answer scores",
        "Mean over the queries with a reference answer, for the candidate and the baseline (dashed).",
        query(
            f'recallwatch_answer_score_ratio{{{OF_SUITE}, stratum="overall"}}',
            "{{target}} {{suite}} {{scorer}} {{role}}",
        ),
        unit="percentunit",
        overrides=[DASHED],
    ),
    lines(
        "Change of token F1",
        "Candidate minus baseline with its 95 % interval; negative is worse.",
        query(
            f'recallwatch_difference_ratio{{{OF_SUITE}, stratum="overall", measure="{LEADING[Needs.ANSWERS]}"}}',
            "{{target}} {{suite}} difference",
        ),
        query(
            f'recallwatch_difference_lower_ratio{{{OF_SUITE}, stratum="overall", measure="{LEADING[Needs.ANSWERS]}"}}',
            "{{target}} {{suite}} lower",
            ref="B",
        ),
        query(
            f'recallwatch_difference_upper_ratio{{{OF_SUITE}, stratum="overall", measure="{LEADING[Needs.ANSWERS]}"}}',
            "{{target}} {{suite}} upper",
            ref="C",
        ),
        unit="percentunit",
        steps=LOSS,
    ),
]
ATTRIBUTION = [
    lines(
        "Attribution of changes",
        "The shares of retrieval and generation in the change of the answer scores; the shares add up to the change.",
        query(f"recallwatch_answer_attribution_ratio{{{OF_SUITE}}}", "{{target}} {{suite}} {{scorer}} {{component}}"),
        unit="percentunit",
        steps=LOSS,
    ),
    lines(
        "Recall headroom",
        "Position of the last needed evidence: inside the answerer's contexts, just outside, far, or not retrieved. "
        "Evidence that moves outside is lost to the answers before recall shows it.",
        query(f"recallwatch_headroom_ratio{{{OF_SUITE}}}", "{{target}} {{suite}} {{zone}}"),
        unit="percentunit",
        min=0,
        max=1,
    ),
    lines(
        "Change of headroom",
        "Change of these shares since the baseline. Evidence inside the contexts that falls is lost to the answers.",
        query(f"recallwatch_headroom_difference_ratio{{{OF_SUITE}}}", "{{target}} {{suite}} {{zone}}"),
        unit="percentunit",
        steps=LOSS,
    ),
    lines(
        "Hits returned",
        "Mean number of hits of a retriever that cuts by score; absent if it returns as many as requested.",
        query(f"recallwatch_hits_returned{{{OF_SUITE}}}", "{{target}} {{suite}} {{role}}"),
        min=0,
        overrides=[DASHED],
    ),
    lines(
        "Answers by outcome",
        "Scored, failed, abstained, empty and ungraded answers of each run.",
        query(f"recallwatch_run_answers{{{OF_SUITE}}}", "{{target}} {{suite}} {{outcome}}"),
        min=0,
    ),
]
CHAINS = [
    lines(
        "Success by hop",
        "Share of hops that find their evidence: by themselves (own), and with the answers of their chain. The "
        "baseline is dashed. If only the chain falls, an earlier hop is to blame.",
        query(
            f"recallwatch_chain_hop_success_ratio{{{OF_SUITE}}}",
            "{{target}} {{suite}} hop {{hop}} {{question}} {{role}}",
        ),
        unit="percentunit",
        min=0,
        max=1,
        overrides=[DASHED],
    ),
    lines(
        "Loss of hops and chains",
        "Relative loss of single hops and of whole chains, compared with the baseline.",
        query(f"recallwatch_chain_loss_ratio{{{OF_SUITE}}}", "{{target}} {{suite}} {{of}}"),
        unit="percentunit",
    ),
    lines(
        "Compounding factor",
        "Loss of chains over the loss of single hops, with its 95 % interval; absent if hops lost nothing.",
        query(f"recallwatch_chain_compounding_factor{{{OF_SUITE}}}", "{{target}} {{suite}} {{bound}}"),
        min=0,
    ),
]


def dashboard() -> Json:
    """The dashboard of answers, attribution and headroom."""
    return page(
        "recallwatch-answers",
        "recallwatch / Answers",
        "Answer scores, attribution of their changes, and recall headroom.",
        PROMETHEUS,
        [
            *SCRAPED,
            variable("target", "Target", TARGETS, multi=True),
            variable("suite", "Suite", 'label_values(recallwatch_run_answers{target=~"$target"}, suite)', multi=True),
        ],
        [("Now", NOW), ("Scores", SCORES), ("Attribution", ATTRIBUTION), ("Chains", CHAINS)],
        [SWAPS],
    )
