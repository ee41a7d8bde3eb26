"""Merge methods: one paper, one file; the table of them, and how one is built."""

from espnet_merge.methods._base import Array, Method, Role, Rule, Site, Stream
from espnet_merge.methods._build import build_method
from espnet_merge.methods._table import METHODS

__all__ = [
    "METHODS",
    "Array",
    "Method",
    "Role",
    "Rule",
    "Site",
    "Stream",
    "build_method",
]
