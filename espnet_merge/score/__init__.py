"""Scoring: text normalisers, error counts and the signs of hallucination."""

RESAMPLES = 1000  # of bootstrap and permutation
