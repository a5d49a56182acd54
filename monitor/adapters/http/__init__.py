"""HTTP for adapters: a client, JSON requests and response readers."""
