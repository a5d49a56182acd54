"""The public Python API, for notebooks and tests; `from monitor import compare` imports it on first use."""
