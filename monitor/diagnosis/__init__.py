"""Pure: what changed between two runs, why, and which part of the pipeline is to blame."""
