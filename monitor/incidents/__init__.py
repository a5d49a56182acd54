"""Pure: the life of an incident, its payload and its routing."""
