"""Linear algebra in float64, shared by the spectral methods."""

import contextlib
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

type Orthogonaliser = Literal["svd", "eigh", "newton_schulz"]

# Directions below this share of the largest singular value are the rounding of float32
# checkpoints (about 1e-6 of a task vector), not knowledge. The Gram matrix squares
# it to 1e-10, which float64 still resolves to six digits.
RANK_TOLERANCE = 1e-5

# Unit columns that coincide leave singular values of exactly 0, or about 1e-7 once
# perturbed by 1e-9; columns in general position rarely go below 1e-4.
NULL_TOLERANCE = 1e-6

# Five quintic steps that bring singular values of [0.01, 1] close to 1.
NEWTON_SCHULZ = (
    (4.0848, -6.8946, 2.9270),
    (3.9505, -6.3029, 2.6377),
    (3.7418, -5.5913, 2.3037),
    (2.8769, -3.1427, 1.2046),
    (2.8366, -3.0525, 1.2012),
)


class Svd(NamedTuple):
    """``u @ diag(s) @ v.T``, singular values descending, in float64."""

    u: "Tensor"
    s: "Tensor"
    v: "Tensor"

    def cut(self, rank: int) -> "Svd":
        """Keep the first ``rank`` directions."""
        return Svd(self.u[:, :rank], self.s[:rank], self.v[:, :rank])

    def dense(self) -> "Tensor":
        """Multiply the factors."""
        return (self.u * self.s) @ self.v.T


def svd(matrix: "Tensor") -> Svd:
    """Decompose ``matrix`` up to its numerical rank, zero directions dropped.

    Through the eigenvectors of the smaller Gram matrix: as accurate as needed in
    float64, and faster than a singular value decomposition for every shape.

    Example:
        >>> import torch
        >>> svd(torch.tensor([[0.0, 3.0, 0.0], [0.0, 0.0, 0.0]])).s.tolist()
        [3.0]
    """
    import torch

    rows, columns = matrix.shape
    if rows < columns:
        v, s, u = svd(matrix.T)
        return Svd(u, s, v)
    x = matrix.double()
    values, vectors = torch.linalg.eigh(x.T @ x)
    s = values.clamp(min=0).sqrt().flip(0)
    s = s[s > RANK_TOLERANCE * s[0]]
    v = vectors.flip(1)[:, : len(s)]
    return Svd(x @ v / s, s, v)


def polar(x: "Tensor", how: Orthogonaliser) -> "Tensor":
    """Return the polar factor of ``x`` on its range, zero on its null space.

    The full polar factor is not unique where columns are collinear; this partial
    isometry is, and moves little when ``x`` does.

    Example:
        >>> import torch
        >>> polar(torch.tensor([[3.0, 0.0], [0.0, 0.0]]), "eigh").tolist()
        [[1.0, 0.0], [0.0, 0.0]]
    """
    import torch

    x = x.double()
    if x.shape[0] < x.shape[1]:
        return polar(x.T, how).T
    if how == "newton_schulz":
        return newton_schulz(x.T).T
    if how == "svd":
        # LAPACK's svd may not converge where singular values repeat, as they do with
        # duplicate tasks; the eigenvectors below always do.
        with contextlib.suppress(torch.linalg.LinAlgError):  # type: ignore[attr-defined]
            u, s, vh = torch.linalg.svd(x, full_matrices=False)
            keep = s > NULL_TOLERANCE
            factor: Tensor = u[:, keep] @ vh[keep]
            return factor
    values, vectors = torch.linalg.eigh(x.T @ x)
    keep = values > NULL_TOLERANCE**2
    kept = vectors[:, keep]
    whitening: Tensor = (kept / values[keep].sqrt()) @ kept.T
    return x @ whitening


def newton_schulz(x: "Tensor") -> "Tensor":
    """Approach the polar factor of the wide ``x`` in five steps of products only."""
    import torch

    x = x / (torch.linalg.matrix_norm(x) + 1e-7)
    for a, b, c in NEWTON_SCHULZ:
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x
