"""What a merge will need, told from headers alone: roughly, to plan with."""

import math
from collections.abc import Sequence

from espnet_merge.checkpoint.safetensors import FLOATS, itemsize
from espnet_merge.merge import Merge
from espnet_merge.sites import PIECE, Sites

# Bytes of an interpreter with numpy, and what scipy adds.
NUMPY, SCIPY = 30_000_000, 30_000_000
# Measured on one core of 2.5 GHz: seconds an entry of an expert, each time that it is
# read; and float64 operations a second.
ENTRY = 2e-9
FLOPS = 1e10
# Times that a survey reads what it merges, the merge itself included.
PASSES = {"entry": 1, "tensor": 3, "model": 4}


def memory(merge: Merge, jobs: int) -> int:
    """Return the peak of memory in bytes, the pages of the files not counted."""
    width = itemsize(FLOATS[merge.compute_dtype])
    # Base, experts, result, and a few arrays on the way to it.
    most = PIECE * width * (len(merge.experts) + 6)
    for rows, columns in _matrices(merge):
        factors = 2 * len(merge.experts) * min(rows, columns)
        # Two whole matrices, and in float64 one more and the factors of all experts.
        most = max(most, 16 * rows * columns + 8 * factors * (rows + columns) // 2)
    start = NUMPY + (SCIPY if merge.method.factored else 0)
    return start + most * (jobs + 1)


def seconds(merges: Sequence[Merge], jobs: int) -> float:
    """Return how long merges of the same inputs take in one pass."""
    count, time = len(merges[0].experts), 0.0
    for number, merge in enumerate(merges):
        for name in (entries := merge.base.entries):
            passes = PASSES[merge.method.at(name).scope]
            time += ENTRY * entries[name].size * (count + 2) * passes
        # The decompositions of the first are there for the others.
        if number == 0 or merge.method.kind != merges[0].method.kind:
            for rows, columns in _matrices(merge):
                low, high = sorted((rows, columns))
                # A Gram matrix, its eigenvectors and their images, an expert; as much
                # again for what is made of them.
                time += 2 * count * (4 * low**2 * high + 10 * low**3) / FLOPS
    return time / jobs


def _matrices(merge: Merge) -> list[tuple[int, int]]:
    """Return the shapes of the tensors that are decomposed."""
    sites = Sites(merge.base, merge.experts)
    found = []
    for name in sites.names:
        site = sites.site(name)
        if merge.method.at(name).is_matrix(site):
            found.append((site.shape[0], math.prod(site.shape[1:])))
    return found
