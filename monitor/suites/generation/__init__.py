"""Suites made of what the user has already: a corpus, or a log of queries. No language model is needed."""
