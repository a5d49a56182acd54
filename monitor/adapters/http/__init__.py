"""HTTP for adapters: one client, one JSON request, and readers of what comes back."""
