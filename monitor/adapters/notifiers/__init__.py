"""Ways to reach on-call."""
