"""Shared by the retrievers of vector stores: embed the query, search, read the hits."""
