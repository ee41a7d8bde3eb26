"""Merge methods: one paper, one file; the table of them, and how one is built."""

from espnet_merge.methods._base import (
    ElementwiseMerge,
    Method,
    Stream,
    TensorInfo,
    TwoPass,
)
from espnet_merge.methods._build import build_method
from espnet_merge.methods._by_tensor import ByTensor
from espnet_merge.methods._table import METHODS, STEPS

__all__ = [
    "METHODS",
    "STEPS",
    "ByTensor",
    "ElementwiseMerge",
    "Method",
    "Stream",
    "TensorInfo",
    "TwoPass",
    "build_method",
]
