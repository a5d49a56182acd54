"""Answerers: live RAG services that answer questions; one module each."""
