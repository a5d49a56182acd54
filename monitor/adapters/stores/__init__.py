"""Stores: adapters that keep runs, verdicts, incidents and alerts."""
