"""Which heads of cross-attention tell when a word is said."""
