"""Tests of the store in a real PostgreSQL: migration, retention, crashes."""
