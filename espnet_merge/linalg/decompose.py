"""Decompositions in float64, shared by the spectral methods.

Matrices are numpy arrays on the CPU, torch tensors on another device, or
:class:`Factored`, which are never multiplied out here. On the CPU numpy with OpenBLAS
is as fast as torch, and imports in a tenth of the time.
"""

import contextlib
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from espnet_merge.arrays import Array, Float, Float64
from espnet_merge.checkpoint.factored import Factored
from espnet_merge.linalg.backend import double, library

type Orthogonaliser = Literal["svd", "eigh", "newton_schulz"]

# Directions below this fraction of the largest singular value are the rounding of
# float32 checkpoints (about 1e-6 of a task vector), not knowledge. The Gram matrix
# squares it to 1e-10, which float64 still resolves to six digits.
RANK_TOLERANCE = 1e-5

# A Gram matrix of float64 cannot tell smaller fractions of the largest singular value
# from 0. A cut by rank drops no other directions.
RESOLUTION = 1e-8

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

# Entries that are converted to float64 at a time: 32 MB of them.
FLOAT64_ENTRIES = 1 << 22


class Svd(NamedTuple):
    """All singular values, descending, and the vectors of the largest; in float64.

    ``u`` and ``v`` hold vectors as columns, and may have fewer than there are values.
    """

    u: Float64[Array, "rows kept"]
    s: Float64[Array, " rank"]
    v: Float64[Array, "columns kept"]

    @property
    def rank(self) -> int:
        """Number of directions whose vectors are at hand."""
        return int(self.u.shape[1])

    @property
    def kept(self) -> Float64[Array, " kept"]:
        """Singular values of the directions whose vectors are at hand."""
        return self.s[: self.rank]

    def cut(self, rank: int) -> "Svd":
        """Keep the vectors of the first ``rank`` directions."""
        return Svd(self.u[:, :rank], self.s, self.v[:, :rank])

    def above(self, floor: float) -> "Svd":
        """Drop the directions whose singular value does not exceed ``floor``."""
        s = self.s[self.s > floor]
        return self._replace(s=s).cut(len(s))

    def dense(self) -> Float64[Array, "rows columns"]:
        """Multiply the factors at hand."""
        return (self.u * self.kept) @ self.v.T


def svd(
    matrix: Float[Array, "rows columns"],
    count: int | None = None,
    tolerance: float = RANK_TOLERANCE,
) -> Svd:
    """Decompose ``matrix`` up to its numerical rank, zero directions dropped.

    The eigenvectors of the smaller Gram matrix give it: in float64 as accurate as
    needed, and faster than LAPACK's decomposition for every shape. Of factors one is
    replaced by its QR, and the other is decomposed in this basis.

    Args:
        matrix: (rows, columns), dense or factored.
        count: Number of directions whose vectors are wanted; all by default.
        tolerance: Singular values within this fraction of the largest count as zero.

    Example:
        >>> import numpy as np
        >>> svd(np.array([[0.0, 3.0, 0.0], [0.0, 0.0, 0.0]])).s.tolist()
        [3.0]
    """
    if isinstance(matrix, Factored):
        return _svd_of_factors(matrix, count, tolerance)
    if matrix.shape[0] < matrix.shape[1]:
        v, s, u = svd(matrix.T, count, tolerance)
        return Svd(u, s, v)
    if not matrix.any():
        nothing = double(matrix[:, :0])
        return Svd(nothing, nothing[0], double(matrix[:0].T))
    s, v = right(gram([matrix]), count, tolerance)
    u = times([matrix], v)
    # More exact than the root of an eigenvalue where that is small.
    lengths = (u**2).sum(0) ** 0.5
    u /= lengths
    s[: len(lengths)] = lengths
    return Svd(u, s, v)


def right(
    products: Float64[Array, "columns columns"],
    count: int | None = None,
    tolerance: float = RANK_TOLERANCE,
) -> tuple[Float64[Array, " rank"], Float64[Array, "columns kept"]]:
    """Return singular values and right vectors of a matrix, given its Gram matrix.

    Args:
        products: The Gram matrix, float64.
        count: As for ``svd``.
        tolerance: As for ``svd``.
    """
    full = len(products)
    wanted = full if count is None else min(full, count)
    values, v = _eigh(products, wanted, tolerance**2)
    s = values.clip(0) ** 0.5
    s = s[s > tolerance * s[0]]
    return s, v[:, : len(s)]


def _svd_of_factors(delta: Factored, count: int | None, tolerance: float) -> Svd:
    basis, upper = library(delta.a).linalg.qr(double(delta.a).T)
    part = svd(double(delta.b) @ (delta.scale * upper.T), count, tolerance)
    return part._replace(v=basis @ part.v)


def polar(
    blocks: Sequence[Float64[Array, "rows _"]], orthogonalise: Orthogonaliser
) -> Float64[Array, "rows columns"]:
    """Return the polar factor of ``blocks`` side by side on the range of these.

    The full polar factor is not unique where columns are collinear. This partial
    isometry, zero on the null space, is unique, and moves little when the columns do.

    Args:
        blocks: float64, each with orthonormal columns if there is more than one.
        orthogonalise: ``svd`` and ``eigh`` are one: both use the Gram matrix.

    Example:
        >>> import numpy as np
        >>> polar([np.array([[3.0, 0.0], [0.0, 0.0]])], "eigh").tolist()
        [[1.0, 0.0], [0.0, 0.0]]
    """
    columns = sum(block.shape[1] for block in blocks)
    if not columns:
        return blocks[0]
    if blocks[0].shape[0] < columns:
        wide = library(blocks[0]).concatenate(list(blocks), 1)
        return polar([wide.T], orthogonalise).T
    if len(blocks) > 2:
        blocks = [library(blocks[0]).concatenate(list(blocks), 1)]
    return times(blocks, _whitening(*_spectrum(blocks), orthogonalise))


def whitened(
    products: Float64[Array, "n n"], orthogonalise: Orthogonaliser
) -> Float64[Array, "n n"]:
    """Return what makes the polar factor of columns, given their Gram matrix."""
    if not len(products):
        return products
    return _whitening(*_eigh(products, len(products)), orthogonalise)


def _whitening(
    values: Float64[Array, " n"],
    vectors: Float64[Array, "n n"],
    orthogonalise: Orthogonaliser,
) -> Float64[Array, "n n"]:
    floor = NULL_TOLERANCE**2
    if orthogonalise == "newton_schulz":
        gains = newton_schulz(values)
    else:
        gains = values.clip(floor) ** -0.5
    gains = gains * (values > floor)
    root = vectors * gains**0.5
    return root @ root.T


def newton_schulz(values: Float64[Array, " n"]) -> Float64[Array, " n"]:
    """Return what five Newton-Schulz steps multiply singular directions by.

    Args:
        values: Squares of all singular values. The steps are odd polynomials of the
            matrix, so that they act on each singular value alone.
    """
    values = values.clip(0)
    gains = 1 / (values.sum() ** 0.5 + 1e-7)
    for a, b, c in NEWTON_SCHULZ:
        squares = values * gains**2
        gains = gains * (a + b * squares + c * squares**2)
    return gains


def _spectrum(
    blocks: Sequence[Float64[Array, "rows _"]],
) -> tuple[Float64[Array, " n"], Float64[Array, "n n"]]:
    """Return eigenvalues and eigenvectors of the Gram matrix of ``blocks``."""
    xp = library(blocks[0])
    if len(blocks) == 2 and blocks[0].shape == blocks[1].shape:
        # Of two orthonormal blocks the cosines of the angles between them are enough.
        # LAPACK's svd may fail where singular values repeat, as of duplicate tasks.
        with contextlib.suppress(xp.linalg.LinAlgError):
            p, cosines, qt = xp.linalg.svd(blocks[0].T @ blocks[1])
            halves = [xp.concatenate([p, sign * qt.T], 0) for sign in (1, -1)]
            values = xp.concatenate([1 + cosines, 1 - cosines], 0)
            return values, xp.concatenate(halves, 1) / 2**0.5
    products = gram(blocks)
    return _eigh(products, len(products))


def _eigh(
    matrix: Float64[Array, "n n"], count: int, least: float = 0.0
) -> tuple[Float64[Array, " n"], Float64[Array, "n kept"]]:
    """Return all eigenvalues and the leading ``count`` eigenvectors, descending.

    Vectors of eigenvalues below ``least`` times the largest may be left out.
    """
    xp = library(matrix)
    if xp.__name__ == "numpy":
        from espnet_merge.linalg.eigh import eigh

        return eigh(matrix, count, least)
    values, vectors = xp.linalg.eigh(matrix)
    return xp.flip(values, (0,)), xp.flip(vectors, (1,))[:, :count]


def add(
    deltas: Iterable[Float[Array, "rows columns"]],
) -> Float64[Array, "rows columns"]:
    """Sum the deltas in float64; the sum of factors is their concatenation."""
    zero: Array = None
    dense: Array = None
    factored: list[Factored] = []
    for delta in deltas:
        if isinstance(delta, Factored):
            factored.append(delta)
        elif not delta.any():
            zero = delta
        else:
            dense = double(delta) if dense is None else dense + delta
    if dense is not None:
        return sum((double(delta.dense()) for delta in factored), dense)
    if not factored:
        return double(zero)
    xp = library(factored[0].b)
    b = xp.concatenate([delta.scale * double(delta.b) for delta in factored], 1)
    a = xp.concatenate([double(delta.a) for delta in factored], 0)
    return Factored(b, a, 1.0)


def cut(
    matrix: Float[Array, "rows columns"], rank: int
) -> tuple[Factored, float, float]:
    """Return the best approximation of ``rank``, its energy, and that of the matrix.

    Energy is the sum of the squared singular values.

    Args:
        matrix: (rows, columns), dense or factored.
        rank: Directions that are kept at most, >= 1.
    """
    parts = svd(matrix, rank, RESOLUTION)
    root = parts.kept**0.5
    energy = parts.s**2
    factors = Factored(parts.u * root, (parts.v * root).T, 1.0)
    return factors, float(energy[: parts.rank].sum()), float(energy.sum())


def norm(delta: Float[Array, "rows columns"]) -> float:
    """Return the Frobenius norm."""
    if isinstance(delta, Factored):
        squares = ((delta.b.T @ delta.b) * (delta.a @ delta.a.T)).sum()
        return abs(delta.scale) * math.sqrt(max(0.0, float(squares)))
    return float(library(delta).linalg.matrix_norm(delta))


def gram(blocks: Sequence[Float[Array, "rows _"]]) -> Float64[Array, "n n"]:
    """Return the products of all columns of ``blocks`` side by side, in float64."""
    total: Array = 0.0
    for _, rows in _rows(blocks):
        total = total + rows.T @ rows
    return total


def times(
    blocks: Sequence[Float[Array, "rows _"]], matrix: Float64[Array, "n columns"]
) -> Float64[Array, "rows columns"]:
    """Multiply ``blocks`` side by side by ``matrix``, in float64."""
    first = blocks[0]
    xp = library(first)
    shape = (first.shape[0], matrix.shape[1])
    out = xp.empty(shape, dtype=xp.float64, device=first.device)
    for start, rows in _rows(blocks):
        out[start : start + len(rows)] = rows @ matrix
    return out


def _rows(
    blocks: Sequence[Float[Array, "rows _"]],
) -> Iterator[tuple[int, Float64[Array, "_ n"]]]:
    """Yield float64 rows of ``blocks`` side by side, as many as a chunk holds."""
    height = blocks[0].shape[0]
    step = max(1, FLOAT64_ENTRIES // max(1, sum(block.shape[1] for block in blocks)))
    for start in range(0, height, step):
        parts = [double(block[start : start + step]) for block in blocks]
        whole = parts[0] if len(parts) == 1 else library(parts[0]).concatenate(parts, 1)
        yield start, whole
