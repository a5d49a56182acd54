"""Reading suites from disk."""
