"""Ratios against named peers, all from one run: ``python -m benchmarks``."""
