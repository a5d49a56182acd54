"""The long-running daemon and its HTTP server."""
