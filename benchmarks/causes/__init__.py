"""Whether the cause of a change is named right: real vectors, real indexes, eight causes, many seeded trials."""
