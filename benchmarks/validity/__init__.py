"""A validity study: agreement of the built-in suites with public data on model swaps."""
