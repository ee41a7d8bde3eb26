"""Measure experts against their base and against each other, tensor by tensor."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from espnet_merge.checkpoint import Adapter, Checkpoint
from espnet_merge.checkpoint.agree import check_base_of, check_same_model
from espnet_merge.checkpoint.dtypes import to_float
from espnet_merge.checkpoint.hub_names import name_of
from espnet_merge.errors import InputError
from espnet_merge.inspection.moments import Moments, moments_of, ratio
from espnet_merge.inspection.place import Place, labels, place_of
from espnet_merge.inspection.spectrum import (
    Spectrum,
    Subspaces,
    compare,
    subspaces_of,
)
from espnet_merge.linalg.rounding import rounding_floor

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Entries of a chunk: 128 KB of float64 per expert, so that what is computed of all
# experts stays in the cache of a core.
CHUNK_ENTRIES = 1 << 14

type Reader = Callable[[slice], NDArray[Any]]


@dataclass(frozen=True)
class Cell:
    """What was measured of a group of tensors.

    Args:
        moments: Sums over all their entries.
        spectra: One for each weight matrix of attention or feed-forward among them.
    """

    moments: Moments
    spectra: tuple[Spectrum, ...] = ()

    def __add__(self, other: "Cell") -> "Cell":
        return Cell(self.moments + other.moments, self.spectra + other.spectra)

    def mean(self, quantity: str) -> "NDArray[Any]":
        """Average a field of ``Spectrum`` over the matrices where it is known."""
        known = [getattr(spectrum, quantity) for spectrum in self.spectra]
        values = np.array(known).reshape(len(known), *self._shape(quantity))
        there = ~np.isnan(values)
        return ratio(np.where(there, values, 0).sum(axis=0), there.sum(axis=0))

    def _shape(self, quantity: str) -> tuple[int, ...]:
        experts = len(self.moments.dots)
        return (experts,) if quantity == "stable_rank" else (experts, experts)


@dataclass(frozen=True)
class Inspection:
    """All that was measured.

    Args:
        base: Path of the base.
        experts: Paths of the experts.
        labels: What the experts are called for short.
        rank: Leading directions of a subspace.
        cells: By place, in the order of the data flow.
    """

    base: str
    experts: tuple[str, ...]
    labels: tuple[str, ...]
    rank: int
    cells: dict[Place, Cell]

    @property
    def total(self) -> Cell:
        """The whole model."""
        return reduce(add, self.cells.values())

    def grouped[K](self, key: Callable[[Place], K]) -> dict[K, Cell]:
        """Add up the cells of equal ``key``."""
        groups: dict[K, Cell] = {}
        for place, cell in self.cells.items():
            known = groups.get(key(place))
            groups[key(place)] = known + cell if known else cell
        return groups


def measure(
    base: Checkpoint, experts: Sequence[Checkpoint | Adapter], rank: int = 16
) -> Inspection:
    """Measure ``experts``, in the memory of a few chunks and one matrix.

    Args:
        base: Checkpoint that all experts started from.
        experts: Fine-tuned checkpoints of the same model, or adapters of it.
        rank: Leading singular directions that are compared, >= 1.

    Raises:
        InputError: ``rank`` is too small, the checkpoints do not belong together, or
            a tensor holds NaN or Inf.
    """
    if rank < 1:
        raise InputError(f"--rank must be >= 1, got {rank}; 16 is the default.")
    check_same_model(base, experts)
    for expert in experts:
        if isinstance(expert, Adapter):
            check_base_of(base, expert)
    cells: dict[Place, Cell] = {}
    floats = base.floats
    size = sum(entry.size for entry in floats.values())
    with tqdm(total=size, desc="inspect", unit_scale=True, disable=None) as bar:
        for name, entry in floats.items():
            place = place_of(name, entry.shape)
            # The moments come first, because they find NaN and Inf.
            moments = _moments(base, experts, name)
            spectra = _spectra(base, experts, name, rank) if _is_matrix(place) else ()
            cell = Cell(moments, spectra)
            cells[place] = cells[place] + cell if place in cells else cell
            bar.update(entry.size)
    paths = [expert.path for expert in experts]
    names = tuple(map(name_of, paths)), tuple(labels(paths))
    cells = {place: cells[place] for place in sorted(cells, key=lambda p: p.order)}
    return Inspection(name_of(base.path), *names, rank, cells)


def _is_matrix(place: Place) -> bool:
    return place.role == "linear"


def _moments(
    base: Checkpoint, experts: Sequence[Checkpoint | Adapter], name: str
) -> Moments:
    weights = _weights(base, name)
    readers = [_task_vector(base, expert, name) for expert in experts]

    def parts() -> Iterator[Moments]:
        for start in range(0, max(1, base.entries[name].size), CHUNK_ENTRIES):
            chunk = slice(start, start + CHUNK_ENTRIES)
            deltas = np.stack([read(chunk) for read in readers])
            yield moments_of(weights(chunk), deltas)

    with np.errstate(all="ignore"):
        found = reduce(add, parts())
    _check_finite(found, base, experts, name)
    return found


def _spectra(
    base: Checkpoint, experts: Sequence[Checkpoint | Adapter], name: str, rank: int
) -> tuple[Spectrum]:
    return (compare([_subspaces(base, e, name, rank) for e in experts]),)


def _subspaces(
    base: Checkpoint, expert: Checkpoint | Adapter, name: str, rank: int
) -> Subspaces:
    if isinstance(expert, Adapter) and name in expert.scales:
        delta = expert.delta(name)
        return subspaces_of(delta, rank)
    shape, everything = base.entries[name].shape, slice(None)
    matrix = _task_vector(base, expert, name)(everything).reshape(shape)
    stored = expert.entries[name].dtype if isinstance(expert, Checkpoint) else None
    weights = _weights(base, name)(everything).reshape(shape)
    return subspaces_of(matrix, rank, rounding_floor(weights, stored))


def _weights(source: Checkpoint, name: str) -> Reader:
    """Return what reads flat chunks of a tensor."""
    stored, dtype = source.stored(name), source.entries[name].dtype
    return lambda chunk: to_float(stored[chunk], dtype, "float32")


def _task_vector(base: Checkpoint, expert: Checkpoint | Adapter, name: str) -> Reader:
    """Return what reads flat chunks of an expert's task vector."""
    before = _weights(base, name)
    if isinstance(expert, Checkpoint):
        after = _weights(expert, name)
        return lambda chunk: after(chunk) - before(chunk)
    if name in expert.scales:
        return expert.delta(name).chunk
    return lambda chunk: np.zeros_like(before(chunk))


def _check_finite(
    moments: Moments,
    base: Checkpoint,
    experts: Sequence[Checkpoint | Adapter],
    name: str,
) -> None:
    squares = (moments.base, *np.diagonal(moments.dots))
    for checkpoint, square in zip((base, *experts), squares, strict=True):
        if not np.isfinite(square):
            raise InputError(
                f"{checkpoint.path}: tensor {name} holds NaN or Inf; the training"
                " diverged, use an earlier checkpoint."
            )
