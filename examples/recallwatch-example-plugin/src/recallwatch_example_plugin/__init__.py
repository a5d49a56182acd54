"""A retriever and a notifier for recallwatch."""
