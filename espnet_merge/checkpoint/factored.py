"""A task vector as the product of two thin matrices, as LoRA leaves it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Factored:
    """``scale * b @ a``, not multiplied out.

    Args:
        b: (rows, rank), numpy or torch.
        a: (rank, columns), of the same kind.
        scale: alpha / r, or alpha / sqrt(r) for rank-stabilised LoRA.

    Example:
        >>> import numpy as np
        >>> Factored(np.array([[1.0], [2.0]]), np.array([[3.0, 4.0]]), 0.5).dense()
        array([[1.5, 2. ],
               [3. , 4. ]])
    """

    b: Any
    a: Any
    scale: float

    @property
    def dtype(self) -> Any:  # noqa: ANN401 - numpy's or torch's
        """Type of the factors."""
        return self.b.dtype

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the product."""
        return self.b.shape[0], self.a.shape[1]

    def dense(self) -> Any:  # noqa: ANN401 - numpy or torch, as the factors are
        """Multiply the factors."""
        return (self.b @ self.a) * self.scale

    def chunk(self, chunk: slice) -> Any:  # noqa: ANN401
        """Return a chunk of the flat product; only its rows are multiplied out."""
        rows, columns = self.shape
        start, stop, _ = chunk.indices(rows * columns)
        first = start // columns
        block = Factored(self.b[first : -(-stop // columns)], self.a, self.scale)
        return block.dense().ravel()[start - first * columns : stop - first * columns]


def concatenate(parts: Sequence[tuple[float, Factored]]) -> Factored:
    """Return the weighted sum of deltas, exactly, by concatenation of the factors."""
    import numpy as np

    b = np.hstack([weight * delta.scale * delta.b for weight, delta in parts])
    return Factored(b, np.vstack([delta.a for _, delta in parts]), 1.0)
