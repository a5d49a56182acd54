"""Clients of OpenAI-compatible APIs."""
