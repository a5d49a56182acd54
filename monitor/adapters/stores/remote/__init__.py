"""The records of a daemon, over its HTTP API."""
