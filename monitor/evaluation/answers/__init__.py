"""Pure: scorers of answers."""
