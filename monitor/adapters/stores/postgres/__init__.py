"""The store in PostgreSQL 14 or newer."""
