"""The in-memory store, for tests and experiments."""
