"""A checkpoint that has been opened, whatever its format."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from espnet_merge.checkpoint.dtypes import DTYPES, to_float
from espnet_merge.checkpoint.names import PLAIN, Naming
from espnet_merge.checkpoint.safetensors import Entry
from espnet_merge.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

type Format = Literal["hf", "openai", "espnet"]

# Entries that are compared at a time: 4 MB of float32 of each of two models.
COMPARED_ENTRIES = 1 << 20
TIED = ("proj_out.weight", "model.decoder.embed_tokens.weight")


def chunks(size: int) -> Iterator[slice]:
    """Yield the chunks in which ``size`` entries are compared, in little memory."""
    for start in range(0, size, COMPARED_ENTRIES):
        yield slice(start, start + COMPARED_ENTRIES)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on disk: names, shapes and places of its tensors.

    Args:
        path: The directory or file as the user named it.
        entries: Name to place of each tensor; a tied copy is left out.
        config: What is known of the model, under the keys of ``config.json``, or of
            ``config.yaml`` for a model of ESPnet's.
        files: Every file that was read, for the provenance.
        format: What the files are.
        naming: What they call the tensors.
        copies: Name of each copy that was left out, to the tensor that it repeats.
    """

    path: Path
    entries: dict[str, Entry]
    config: dict[str, Any]
    files: tuple[Path, ...]
    format: Format = "hf"
    naming: Naming = PLAIN
    copies: dict[str, str] = field(default_factory=dict)
    _maps: dict[Path, "NDArray[Any]"] = field(default_factory=dict, repr=False)

    @property
    def floats(self) -> dict[str, Entry]:
        """The entries of floats, which are what is merged; integers are kept."""
        return {name: entry for name, entry in self.entries.items() if entry.is_float}

    def stored(self, name: str) -> "NDArray[Any]":
        """Return the stored bits of a tensor, flat; a view of the file if possible."""
        import numpy as np

        entry = self.entries[name]
        if entry.file not in self._maps:
            self._maps[entry.file] = np.memmap(entry.file, np.uint8, "r")
        dtype, strides = np.dtype(DTYPES[entry.dtype]), entry.strides
        bits = np.asarray(self._maps[entry.file])[entry.start :]
        if strides is None:
            return bits[: entry.nbytes].view(dtype)
        bits = bits[: bits.size // dtype.itemsize * dtype.itemsize].view(dtype)
        steps = [step * dtype.itemsize for step in strides]
        view = np.lib.stride_tricks.as_strided(bits, entry.shape, steps)
        return np.ascontiguousarray(view).ravel()

    def read(
        self, name: str, compute: str = "float32", chunk: slice = slice(None)
    ) -> "NDArray[Any]":
        """Return a flat chunk of the tensor as floats; maybe a view: do not write."""
        return to_float(self.stored(name)[chunk], self.entries[name].dtype, compute)

    def _same_bits(self, name: str, other: str) -> bool:
        one, two = self.stored(name), self.stored(other)
        return one.size == two.size and all(
            one[chunk].tobytes() == two[chunk].tobytes() for chunk in chunks(one.size)
        )

    def drop_tied(self) -> None:
        """Leave out the output projection where it repeats the token embedding.

        Merged twice it would count twice in every threshold; loaders tie it again.

        Raises:
            InputError: it should repeat it, and does not.
        """
        copy, original = TIED
        if not {copy, original} <= self.entries.keys():
            return
        one, other = self.entries[copy], self.entries[original]
        same_place = (one.file, one.start) == (other.file, other.start)
        if not same_place and not self._same_bits(copy, original):
            raise InputError(
                f"{self.path}: {copy} differs from {original}, but config.json ties"
                " them, as every Whisper does: save the model again with both the same."
            )
        del self.entries[copy]
        self.copies[copy] = original
