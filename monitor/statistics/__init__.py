"""Pure: paired tests, intervals, power, and the e-detector."""
