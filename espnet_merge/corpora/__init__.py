"""Corpora of users, in the formats that they have: read, checked, split, written."""
