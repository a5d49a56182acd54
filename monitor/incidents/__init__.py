"""Pure: the life of an incident, the payload of its alerts, and their routing."""
