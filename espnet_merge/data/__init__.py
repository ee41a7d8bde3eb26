"""Kaldi data directories: made of archives, read, checked, filtered, perturbed."""
