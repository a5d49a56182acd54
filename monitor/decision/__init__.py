"""Pure: two measured runs in, verdict and alerts out."""
