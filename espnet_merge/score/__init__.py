"""Scoring: text normalisers, error counts and the signs of hallucination."""
