"""The leading directions of all tasks at a matrix, side by side and decorrelated.

Matrices too large to be held, such as embeddings, come in chunks of rows. What is kept
of these is no larger than columns x columns: of left vectors only the matrix is kept
that makes them of rows.
"""

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from espnet_merge.arrays import Array, ByExpert, Float, Float64, Matrices
from espnet_merge.checkpoint.factored import Factored
from espnet_merge.linalg.backend import double, library, like
from espnet_merge.linalg.decompose import (
    RANK_TOLERANCE,
    Orthogonaliser,
    Svd,
    gram,
    polar,
    right,
    svd,
    whitened,
)
from espnet_merge.methods._base import Stream, TensorInfo, map_chunks
from espnet_merge.methods._rounding import floors_of_rows

# Entries of a matrix that may be in memory a few times: 64 MB of float32. All matrices
# of attention and feed-forward in large-v3 are smaller, token embeddings are larger.
LARGE = 1 << 24

# The Gram matrix of a factor is not used where a column is closer to the span of the
# others than this fraction of its length: rounding must not pass for a direction, which
# has a square above 1e-12 of the largest. Adapters of Whisper have 0.2 and more.
COLLINEAR = 0.1


class Aligned(NamedTuple):
    """Decorrelated directions of all tasks side by side, the spectra task by task.

    For a tall matrix ``bases`` makes the tasks' left vectors of rows, and ``u`` makes
    the decorrelated ones of these.
    """

    u: Float[Array, "rows kept"]
    spectra: list[Float64[Array, " _"]]
    ranks: list[int]
    v: Float[Array, "columns kept"]
    bases: Sequence[Float64[Array, "columns _"]] = ()


def is_tall(shape: Sequence[int]) -> bool:
    """Tell whether a tensor is a matrix of more rows than columns, too large to hold.

    Example:
        >>> is_tall((51865, 512)), is_tall((512, 51865)), is_tall((2048, 512))
        (True, False, False)
    """
    return len(shape) == 2 and shape[0] > shape[1] and math.prod(shape) > LARGE


def align(
    deltas: Matrices,
    fraction: float | None,
    orthogonalise: Orthogonaliser,
    floors: Sequence[float],
) -> Aligned:
    """Align matrices that are in memory whole, or as factors.

    Args:
        deltas: One a task.
        fraction: Fraction of the full rank that a task keeps, 1/n by default.
        orthogonalise: As for ``polar``.
        floors: For each task what singular values must exceed.
    """
    if tasks := _align_factors(deltas, fraction, orthogonalise):
        return tasks
    first, count = deltas[0], len(deltas)
    per_task = _directions_per_task(min(first.shape), count, fraction)
    parts = leading(lambda i, k: svd(deltas[i], k).above(floors[i]), count, per_task)
    u = polar([part.u for part in parts], orthogonalise)
    v = polar([part.v for part in parts], orthogonalise)
    spectra, ranks = [part.s for part in parts], [part.rank for part in parts]
    return Aligned(like(u, first), spectra, ranks, like(v, first))


def _align_factors(
    deltas: Matrices, fraction: float | None, orthogonalise: Orthogonaliser
) -> Aligned | None:
    """Align factors by their Gram matrices, of as many rows as all ranks together.

    Returns None where that does not pay, or where columns of a factor are nearly
    collinear.
    """
    factored = [delta for delta in deltas if isinstance(delta, Factored)]
    ranks = [delta.a.shape[0] for delta in factored]
    per_task = _directions_per_task(min(deltas[0].shape), len(deltas), fraction)
    if len(factored) < len(deltas) or max(ranks) > per_task:
        return None
    xp = library(factored[0].b)
    b = xp.concatenate([delta.b for delta in factored], 1)
    a = xp.concatenate([delta.a for delta in factored], 0)
    products = gram([b]), gram([a.T])
    ends = list(itertools.accumulate(ranks))
    own = [slice(end - rank, end) for end, rank in zip(ends, ranks, strict=True)]
    roots = [root for whole in products for root in _roots(whole, own)]
    if len(roots) < 2 * len(factored):
        return None

    def decompose(task: int, count: int) -> Svd:
        # b = q l', with q orthonormal. The result makes directions of b and of a'.
        left, right = roots[task], roots[len(factored) + task]
        u, s, v = svd(factored[task].scale * left.T @ right, count)
        return Svd(xp.linalg.solve(left.T, u), s, xp.linalg.solve(right.T, v))

    parts = leading(decompose, len(deltas), per_task)

    def decorrelate(
        factors: Float[Array, "side ranks"],
        whole: Float64[Array, "ranks ranks"],
        blocks: Sequence[Float64[Array, "_ _"]],
    ) -> Float[Array, "side kept"]:
        matrix = whitened(_by_block(_by_block(whole, blocks).T, blocks), orthogonalise)
        # ``matrix`` is symmetric. The product has as many rows as all factors columns.
        mixing = _by_block(matrix, [block.T for block in blocks]).T
        return factors @ like(mixing, deltas[0])

    u = decorrelate(b, products[0], [part.u for part in parts])
    v = decorrelate(a.T, products[1], [part.v for part in parts])
    spectra, kept = [part.s for part in parts], [part.rank for part in parts]
    return Aligned(u, spectra, kept, v)


def _roots(
    products: Float64[Array, "n n"], blocks: Sequence[slice]
) -> Iterator[Float64[Array, "_ _"]]:
    """Yield Cholesky factors of those blocks whose columns are not collinear."""
    linalg = library(products).linalg
    for block in blocks:
        with contextlib.suppress(linalg.LinAlgError):
            root = linalg.cholesky(products[block, block])
            lengths = root.diagonal()
            if lengths.min() > COLLINEAR * lengths.max():
                yield root


def _by_block(
    matrix: Float64[Array, "rows _"], blocks: Sequence[Float64[Array, "_ _"]]
) -> Float64[Array, "rows _"]:
    """Multiply by the block-diagonal matrix of ``blocks``."""
    ends = list(itertools.accumulate(len(block) for block in blocks))
    pairs = zip(ends, blocks, strict=True)
    parts = [matrix[:, end - len(block) : end] @ block for end, block in pairs]
    return library(matrix).concatenate(parts, 1)


def align_tall(
    stream: Stream, fraction: float | None, orthogonalise: Orthogonaliser
) -> Aligned:
    """Align tall matrices that come as a stream of rows; see ``align``."""
    grams = _sum(stream, lambda info, x: [gram([rows]) for rows in _rows(x, info)])
    floors = floors_of_rows(stream)

    def decompose(task: int, count: int) -> Svd:
        s, v = right(grams[task], count)
        return Svd(v / s[: v.shape[1]], s, v).above(floors[task])

    per_task = _directions_per_task(len(grams[0]), len(grams), fraction)
    parts = leading(decompose, len(grams), per_task)
    ranks, bases = [part.rank for part in parts], [part.u for part in parts]
    (total,) = _sum(stream, lambda info, x: [gram([left(x, info, bases)])])
    # As in ``svd``, lengths are more exact than roots of small eigenvalues.
    lengths, spectra = total.diagonal() ** 0.5, []
    for part, end in zip(parts, itertools.accumulate(ranks), strict=True):
        own = part.kept * lengths[end - part.rank : end]
        spectra.append(library(own).concatenate([own, part.s[part.rank :]], 0))
    cosines = total / (lengths[:, None] * lengths)
    mixing = whitened(cosines, orthogonalise) / lengths[:, None]
    v = polar([part.v for part in parts], orthogonalise)
    return Aligned(mixing, spectra, ranks, v, bases)


def left(
    deltas: ByExpert, info: TensorInfo, bases: Sequence[Float64[Array, "columns _"]]
) -> Float64[Array, "rows kept"]:
    """Return rows of the left vectors of all tasks, made of rows of the matrices."""
    pairs = zip(_rows(deltas, info), bases, strict=True)
    blocks = [double(rows) @ basis for rows, basis in pairs]
    return library(blocks[0]).concatenate(blocks, 1)


def leading(
    decompose: Callable[[int, int], Svd], tasks: int, per_task: int
) -> list[Svd]:
    """Distribute ``per_task * tasks`` directions over the tasks.

    A task of lower rank leaves directions to the others: each keeps min(rank, L)
    directions for the largest L within the budget. Ranks count singular values above
    ``RANK_TOLERANCE`` of the largest over the tasks.

    Args:
        decompose: Decomposes task number ``i`` with so many vectors.
        tasks: Number of tasks.
        per_task: Directions of a task, >= 1, where no task has a lower rank.
    """
    parts = [decompose(task, per_task) for task in range(tasks)]
    floor = RANK_TOLERANCE * largest(parts)
    ranks = [int((part.s > floor).sum()) for part in parts]
    level = per_task
    budget = per_task * tasks
    while level < max(ranks) and sum(min(r, level + 1) for r in ranks) <= budget:
        level += 1
    for task, rank in enumerate(min(rank, level) for rank in ranks):
        if rank > parts[task].rank:
            parts[task] = decompose(task, rank)
        parts[task] = parts[task].cut(rank)
    return parts


def largest(parts: Sequence[Svd]) -> float:
    """Return the largest singular value over all ``parts``."""
    return max((float(part.s[0]) for part in parts if len(part.s)), default=0.0)


def _directions_per_task(full: int, count: int, fraction: float | None) -> int:
    """Return the directions that a task keeps where no task has a lower rank."""
    return max(1, full // count if fraction is None else int(full * fraction))


def _sum(
    stream: Stream, products: Callable[[TensorInfo, ByExpert], list[Array]]
) -> list[Float64[Array, "_ _"]]:
    total: list[Array] = []
    for parts in map_chunks(stream, products):
        total = [a + b for a, b in zip(total, parts, strict=True)] if total else parts
    return total


def _rows(deltas: ByExpert, info: TensorInfo) -> list[Float[Array, "rows columns"]]:
    return [delta.reshape(-1, info.shape[1]) for delta in deltas]
