"""`recallwatch demo`: a model swap end to end with real components, on one machine."""
