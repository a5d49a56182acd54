"""Retriever: OpenSearch and Elasticsearch."""
