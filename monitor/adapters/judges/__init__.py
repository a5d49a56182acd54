"""Judges, which grade answers; one module each."""
