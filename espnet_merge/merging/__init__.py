"""The engine: what a merge is, the one loop over tensors, and what surrounds it."""
