"""A validity study: whether the built-in suites tell of a model swap what public data tell of it."""
