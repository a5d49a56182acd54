"""Send probes to a target and collect the results."""
