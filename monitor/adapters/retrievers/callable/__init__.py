"""Retriever: a Python callable, including the retrievers of LangChain, LlamaIndex and Haystack."""
