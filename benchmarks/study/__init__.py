"""A simulation study of the decision procedure: every table of its specification, by the project's own functions."""
