"""Calibration of the broad suite: changes under swaps of every family of retrievers, beside public questions."""
