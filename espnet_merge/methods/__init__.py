"""Merge methods: one paper, one file; the table of them, and how one is built."""

from espnet_merge.methods._base import ElementwiseMerge, Method, Stream, TensorInfo
from espnet_merge.methods._build import build_method
from espnet_merge.methods._table import METHODS

__all__ = [
    "METHODS",
    "ElementwiseMerge",
    "Method",
    "Stream",
    "TensorInfo",
    "build_method",
]
