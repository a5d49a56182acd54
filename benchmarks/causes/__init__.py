"""A study of whether causes of changes are named correctly: real vectors and indexes, eight causes, seeded trials."""
