"""The section of the configuration about retention."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from monitor.config.section import Duration, Section


class Retention(Section):
    """How long rankings and answers are kept. Measurements, verdicts, counts and grades are kept for ever."""

    results: Annotated[Duration, Field(ge=7 * 86_400)] | None = 90 * 86_400.0
    """Rankings and answers of a month are dropped when the whole month is older than this, such as ``90d``; at least
    ``7d``. Those of baselines, of open incidents and of pinned runs are kept. ``null`` keeps all of them."""
