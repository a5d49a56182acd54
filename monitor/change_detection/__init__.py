"""Change detection, run every cycle: has the target moved beyond its noise."""
