"""Kaldi data directories: read, check, filter, perturb."""
