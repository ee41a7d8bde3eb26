"""What differs between numpy, for the CPU, and torch, for other devices."""

from types import ModuleType

from espnet_merge.arrays import Array, Float, Float64


def library(array: Array) -> ModuleType:
    """Return numpy or torch, whichever made the array; callers use what both offer."""
    import numpy as np

    if isinstance(array, np.ndarray):
        return np
    import torch

    return torch


def double(array: Float[Array, "*shape"]) -> Float64[Array, "*shape"]:
    """Return the array in float64."""
    xp = library(array)
    return xp.asarray(array, dtype=xp.float64)


def like(
    array: Float[Array, "*shape"], delta: Float[Array, "..."]
) -> Float[Array, "*shape"]:
    """Return the array in the type of a delta, dense or factored."""
    return library(array).asarray(array, dtype=delta.dtype)


def on_cpu(array: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Return the array as numpy's."""
    return array if library(array).__name__ == "numpy" else array.cpu().numpy()
