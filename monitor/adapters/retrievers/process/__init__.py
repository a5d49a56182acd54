"""Retriever: a program that reads and writes JSON lines."""
