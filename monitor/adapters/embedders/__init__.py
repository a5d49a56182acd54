"""Embedders, which turn texts into vectors; one module each."""
