"""From verdicts to on-call: paging, the outbox, and missing data."""
