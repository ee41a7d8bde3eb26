"""Data statistics of an expert, for the merge methods that weight experts by them."""
