"""The gate: a verdict about a candidate before it is deployed."""
