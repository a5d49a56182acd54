"""recallwatch: watches the retrieval quality of a production RAG and pages when a swap makes it worse."""

__version__ = "0.1.0"
