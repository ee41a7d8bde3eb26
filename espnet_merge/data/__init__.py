"""Kaldi data directories: made from archives, read, checked, filtered, perturbed."""
