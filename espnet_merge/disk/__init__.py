"""What every room writes with: whole files, digests, the user's cache."""
