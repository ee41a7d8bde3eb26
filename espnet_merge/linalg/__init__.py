"""Decompositions of matrices, dense or factored, on the CPU or another device."""
