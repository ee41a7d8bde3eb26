"""Memory and time of a merge, estimated from headers alone, to plan with."""

import math
from collections.abc import Sequence

from espnet_merge.checkpoint import Checkpoint
from espnet_merge.checkpoint.dtypes import FLOATS, itemsize
from espnet_merge.merging.inputs import CHUNK_ENTRIES, Inputs
from espnet_merge.merging.merge import Merge
from espnet_merge.methods._base import scope_of
from espnet_merge.methods._order_statistics import MOST

# Measured: bytes of an interpreter with numpy, and what scipy and numba add.
NUMPY, SCIPY, NUMBA = 30_000_000, 30_000_000, 60_000_000
# A selection keeps one entry in 16 with its index, as long as these are not more than
# ``MOST``: its interval of six deviations around the quantile q of a sample of n
# entries holds the fraction 12 sqrt(q (1 - q) / n) of all. For TIES' q = 0.8 these are
# 1/13 of 2^18 entries, whose sample is the smallest, and 1/26 of 2^20.
KEPT = 16
# Measured on one core of 2.5 GHz: seconds per entry of an expert and pass over it;
# least seconds of a decomposition; float64 operations per second.
ENTRY, CALL = 2e-9, 1e-3
FLOPS = 4e10
# Passes over what is merged, the merge itself included.
PASSES = {"entry": 1, "tensor": 3, "model": 4}


def memory(merge: Merge, jobs: int) -> int:
    """Return the peak of memory in bytes, the pages of the files not counted."""
    width = itemsize(FLOATS[merge.compute_dtype])
    # Base, experts, result, and a few arrays on the way to it.
    most = CHUNK_ENTRIES * width * (len(merge.experts) + 6)
    for name, rows, columns in _matrices(merge):
        ranks = sum(_ranks(merge, name, rows, columns))
        if merge.kind.factored:
            # Two whole matrices, in float64 one more and the factors of all experts.
            most = max(most, 16 * rows * columns + 8 * ranks * (rows + columns))
        else:
            # The experts, and some matrices of the inputs and the outputs in float64.
            experts = len(merge.experts) * width * rows * columns
            most = max(most, experts + 8 * columns * (6 * columns + 3 * rows))
    if merge.calibrated:
        # The merged matrix, its singular vectors, and what an expert has along them.
        sizes = [(rows, columns) for _, rows, columns in _matrices(merge)]
        own = (4 * m * n + 8 * min(m, n) * (m + 3 * n) for m, n in sizes)
        most += max(own, default=0)
    start = NUMPY + (SCIPY if merge.decomposes else 0)
    inputs = [x for x in (merge.base, *merge.experts) if isinstance(x, Checkpoint)]
    halves = any(e.dtype == "F16" for x in inputs for e in x.entries.values())
    # Methods that take factors decompose, and select nothing.
    scopes = {scope_of(method) for method in merge.methods}
    selects = scopes != {"entry"} and not merge.kind.factored
    if halves or selects:
        start += NUMBA
    return start + (_after_statistics(merge) if selects else 0) + most * (jobs + 1)


def _after_statistics(merge: Merge) -> int:
    """Return the most bytes that a statistics pass keeps to select entries."""
    sizes = {name: entry.size for name, entry in merge.base.floats.items()}
    scopes = {name: scope_of(merge.at(name)) for name in sizes}
    looked_at = (
        {"entry": 0, "tensor": sizes[name], "model": sum(sizes.values())}[scope]
        for name, scope in scopes.items()
    )
    kept = min(MOST, max(looked_at) // KEPT)
    # Values, indices, and both again when they are put together.
    return 2 * (4 + 8) * kept * len(merge.experts)


def seconds(merges: Sequence[Merge], jobs: int) -> float:
    """Return how long merges of the same inputs take in one pass."""
    count, time = len(merges[0].experts), 0.0
    for number, merge in enumerate(merges):
        for name, entry in merge.base.floats.items():
            passes = PASSES[scope_of(merge.at(name))]
            time += ENTRY * entry.size * (count + 2) * passes
        # Merges of one method have their decompositions from the first.
        if number == 0 or merge.kind != merges[0].kind:
            time += sum(_decomposing(merge, *matrix) for matrix in _matrices(merge))
    return time / jobs


def _decomposing(merge: Merge, name: str, rows: int, columns: int) -> float:
    """Return the seconds of the experts' decompositions, and of the polar factors."""
    ranks = _ranks(merge, name, rows, columns)
    together = min(rows, columns, sum(ranks))
    # Gram matrices or QR, then eigenvectors; last the polar factors of both sides.
    sizes = (*ranks, together, together)
    operations = (4 * size**2 * max(rows, columns) + 10 * size**3 for size in sizes)
    return CALL * len(sizes) + sum(operations) / FLOPS


def _ranks(merge: Merge, name: str, rows: int, columns: int) -> list[int]:
    """Return the rank that the task vector of each expert can have at most."""
    full = min(rows, columns)
    return [
        full
        if isinstance(expert, Checkpoint)
        else min(full, expert.rank(name) if name in expert.scales else 0)
        for expert in merge.experts
    ]


def _matrices(merge: Merge) -> list[tuple[str, int, int]]:
    """Return names, rows and columns of the tensors that are taken whole."""
    inputs = Inputs(merge.base, merge.experts)
    found = []
    for name in inputs.names:
        info = inputs.info(name)
        if merge.at(name).is_matrix(info):
            found.append((name, info.shape[0], math.prod(info.shape[1:])))
    return found
