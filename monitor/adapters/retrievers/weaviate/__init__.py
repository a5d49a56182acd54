"""Retriever: Weaviate, through GraphQL or REST."""
