"""How the store grows with history: size, time of a cycle, queries of pages, memory of the daemon."""
