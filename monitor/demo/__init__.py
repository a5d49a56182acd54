"""`recallwatch demo`: the whole story with real parts, on one machine."""
