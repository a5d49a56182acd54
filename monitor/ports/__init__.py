"""The interfaces between the core and the outside world."""
