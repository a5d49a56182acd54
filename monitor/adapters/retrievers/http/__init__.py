"""Retriever: any HTTP API that answers JSON."""
