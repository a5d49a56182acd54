"""Pure: from two measured runs to a verdict."""
