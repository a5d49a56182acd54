"""Ways to show numbers to a monitoring system."""
