"""Natural minimal pairs for training, separate from the built-in suites."""
