"""Sending probes to a target and collecting what comes back."""
