"""Data statistics of an expert: collected once, read by the methods that need them."""
