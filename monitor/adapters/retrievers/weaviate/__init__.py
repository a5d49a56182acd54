"""Retriever: Weaviate, over GraphQL."""
