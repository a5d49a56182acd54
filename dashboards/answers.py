"""What users get to read: answer scores, who is to blame when they fall, and how close recall is to its edge."""

from __future__ import annotations

from dashboards.panels import PROMETHEUS, Json, lines, page, query, stat, variable
from dashboards.series import DASHED, LOSS, SCRAPED, SWAPS, TARGETS
from monitor.evaluation.measures import LEADING
from monitor.model.measures import Needs

OF_SUITE = 'SELF, target=~"$target", suite=~"$suite"'

NOW = [
    stat(
        "Answers scored",
        "Answers of the last run that came back and have a reference.",
        query(f'sum(recallwatch_run_answers{{{OF_SUITE}, outcome="scored"}})'),
    ),
    stat(
        "Answers that did not come back",
        "Counted, shown, and never a zero in any score.",
        query(f'sum(recallwatch_run_answers{{{OF_SUITE}, outcome="failed"}})'),
    ),
    stat(
        "Abstained or empty",
        "Answers that said “I do not know” or nothing at all; they are among those scored.",
        query(f'sum(recallwatch_run_answers{{{OF_SUITE}, outcome=~"abstained|empty"}})'),
    ),
    stat(
        "Evidence within reach",
        "Share of queries whose last needed evidence is within the contexts that the answerer reads.",
        query(f'min(recallwatch_headroom_ratio{{{OF_SUITE}, zone="inside"}})'),
        unit="percentunit",
        decimals=1,
    ),
]
SCORES = [
    lines(
        "Answer scores",
        "Mean over the queries with a reference answer, now and in the baseline (dashed).",
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
BLAME = [
    lines(
        "Who is to blame",
        "The change of the answers, shared out over what retrieval found and what generation made of it; the parts "
        "add up to the change.",
        query(f"recallwatch_answer_attribution_ratio{{{OF_SUITE}}}", "{{target}} {{suite}} {{scorer}} {{component}}"),
        unit="percentunit",
        steps=LOSS,
    ),
    lines(
        "Recall headroom",
        "Where the last needed evidence lies: inside the contexts that are read, just outside, far, or not retrieved. "
        "What slides outside is lost to the answers before recall shows it.",
        query(f"recallwatch_headroom_ratio{{{OF_SUITE}}}", "{{target}} {{suite}} {{zone}}"),
        unit="percentunit",
        min=0,
        max=1,
    ),
    lines(
        "Where the answers went",
        "Scored, failed, abstained, empty and ungraded answers of each run.",
        query(f"recallwatch_run_answers{{{OF_SUITE}}}", "{{target}} {{suite}} {{outcome}}"),
        min=0,
    ),
]


def dashboard() -> Json:
    """Answers, blame and headroom."""
    return page(
        "recallwatch-answers",
        "recallwatch / Answers",
        "Answer scores, attribution of their changes, and how close recall is to its edge.",
        PROMETHEUS,
        [
            *SCRAPED,
            variable("target", "Target", TARGETS, multi=True),
            variable("suite", "Suite", 'label_values(recallwatch_run_answers{target=~"$target"}, suite)', multi=True),
        ],
        [("Now", NOW), ("Scores", SCORES), ("Why", BLAME)],
        [SWAPS],
    )
