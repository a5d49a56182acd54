"""Retriever: an HTTP API that an OpenAPI document describes."""
