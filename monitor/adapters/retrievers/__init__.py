"""Ways to ask a retriever."""
