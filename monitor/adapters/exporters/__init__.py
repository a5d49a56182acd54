"""Exporters: metrics for monitoring systems."""
