"""Retriever: any HTTP API that takes and returns JSON."""
