"""Retriever: an HTTP API described by an OpenAPI document."""
