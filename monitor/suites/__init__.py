"""Read, check, import, export and generate suites."""
