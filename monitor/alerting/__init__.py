"""Alerting: paging, delivery from the outbox, and missing data."""
