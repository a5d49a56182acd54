"""Places to keep things."""
