"""Retrieval systems of the research as small classes: dense, lexical, hybrid, reranked, late interaction."""
