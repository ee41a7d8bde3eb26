"""Advice: merge all, merge groups, route or train jointly, from a short trial."""
