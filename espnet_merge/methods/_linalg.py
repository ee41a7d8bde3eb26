"""Linear algebra in float64, shared by the spectral methods."""

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from espnet_merge.methods._base import Site

if TYPE_CHECKING:
    from torch import Tensor

type Orthogonaliser = Literal["svd", "eigh", "newton_schulz"]
type Spectral = Literal["linear", "all_2d"]

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

    def above(self, floor: float) -> "Svd":
        """Keep the directions whose singular value exceeds ``floor``."""
        return self.cut(int((self.s > floor).sum()))

    def dense(self) -> "Tensor":
        """Multiply the factors."""
        return (self.u * self.s) @ self.v.T


def svd(matrix: "Tensor", tolerance: float = RANK_TOLERANCE) -> Svd:
    """Decompose ``matrix`` up to its numerical rank, zero directions dropped.

    Singular values within ``tolerance`` of the largest count as zero.

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
        v, s, u = svd(matrix.T, tolerance)
        return Svd(u, s, v)
    x = matrix.double()
    values, vectors = torch.linalg.eigh(x.T @ x)
    s = values.clamp(min=0).sqrt().flip(0)
    s = s[s > tolerance * s[0]]
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


def is_spectral(dim: int, site: Site, rule: Spectral) -> bool:
    """Tell whether the tensor at ``site`` is decomposed under ``rule``."""
    if rule == "all_2d":
        return dim == 2 and "text_projection" not in site.name
    return dim == 2 and site.role == "linear"


def leading(parts: Sequence[Svd], each: int) -> list[Svd]:
    """Cut each task to its share of ``each * len(parts)`` directions."""
    top = max((float(part.s[0]) for part in parts if len(part.s)), default=0.0)
    ranks = [int((part.s > RANK_TOLERANCE * top).sum()) for part in parts]
    budget = each * len(parts)
    level = each
    while level < max(ranks) and sum(min(r, level + 1) for r in ranks) <= budget:
        level += 1
    return [part.cut(min(r, level)) for part, r in zip(parts, ranks, strict=True)]


def recombine(parts: Sequence[Svd], how: Orthogonaliser) -> "Tensor":
    """Decorrelate the directions of all ``parts`` and put them together again."""
    import torch

    u = torch.cat([part.u for part in parts], dim=1)
    s = torch.cat([part.s for part in parts])
    v = torch.cat([part.v for part in parts], dim=1)
    if not len(s):
        return u @ v.T
    return (polar(u, how) * s) @ polar(v, how).T


def mean(deltas: Sequence["Tensor"]) -> "Tensor":
    """Average the task vectors, as the spectral methods do where they are no matrix."""
    import torch

    return torch.stack(list(deltas)).mean(dim=0)
