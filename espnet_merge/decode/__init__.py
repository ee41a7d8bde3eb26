"""Decoding: batches, search, and the hypotheses of a data directory."""
