"""Notifiers: adapters that deliver alerts to on-call services."""
