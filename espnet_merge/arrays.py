"""The arrays of the arithmetic."""

from typing import Any

# numpy.ndarray, or torch.Tensor as ``Method.arrays`` says.
type Array = Any
