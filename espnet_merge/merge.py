"""Merge checkpoints: the only loop over tensors in this package."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from tqdm import tqdm

from espnet_merge import __version__
from espnet_merge.checkpoint import Checkpoint
from espnet_merge.checkpoint.agree import check_same_model
from espnet_merge.checkpoint.atomic import check_output, whole_directory
from espnet_merge.checkpoint.hf import Writer, copy_side_files
from espnet_merge.checkpoint.roles import layer_of, role_of
from espnet_merge.checkpoint.safetensors import FLOATS, itemsize, to_stored
from espnet_merge.errors import InputError
from espnet_merge.methods import METHODS, Array, Method, Rule, Site

if TYPE_CHECKING:
    from numpy.typing import NDArray

PROVENANCE = "merge.yaml"
# Entries of an elementwise piece: base, experts and result together stay in cache.
PIECE = 1 << 17
# Largest finite value of a type.
LARGEST = {"F32": 3.4028e38, "F16": 65504.0, "BF16": 3.3895e38}


@dataclass(frozen=True, kw_only=True)
class Merge:
    """A merge that has been checked as far as headers tell, and not yet begun.

    Args:
        method: What to do at each tensor.
        base: Checkpoint that all experts started from.
        experts: Fine-tuned checkpoints of the same model.
        output: Directory to write; it appears only once complete.
        dtype: Type of the result's floats: float32, float16 or bfloat16.
        compute_dtype: Type of the arithmetic: float32 or float64.
        overwrite: Whether an older merge in ``output`` may be replaced.

    Raises:
        InputError: the inputs do not belong together, or the output is taken.
    """

    method: Method
    base: Checkpoint
    experts: Sequence[Checkpoint]
    output: Path
    dtype: str = "float32"
    compute_dtype: str = "float32"
    overwrite: bool = False

    def __post_init__(self) -> None:
        """Check everything that does not need the weights."""
        for checkpoint in (self.base, *self.experts):
            if self.output.resolve() == checkpoint.path.resolve():
                raise InputError(
                    f"{self.output}: output and input are one directory; give another"
                    " --output."
                )
        check_same_model(self.base, self.experts)
        self.method.check_names([n for n, e in self.base.entries.items() if e.is_float])
        self.method.check_experts(len(self.experts))
        check_output(self.output, overwrite=self.overwrite, mark=PROVENANCE)

    @property
    def plan(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Header type and shape of every tensor of the result, widest types first."""
        float_type = FLOATS[self.dtype]
        plan = {
            name: (float_type if entry.is_float else entry.dtype, entry.shape)
            for name, entry in self.base.entries.items()
        }
        # The widest first keeps every tensor aligned to its own size.
        return dict(sorted(plan.items(), key=lambda kv: (-itemsize(kv[1][0]), kv[0])))

    @property
    def memory(self) -> int:
        """Rough peak of memory in bytes: copies of the largest tensor or piece."""
        size = max((entry.size for entry in self.base.entries.values()), default=0)
        if self.method.elementwise:
            size = min(size, PIECE)
        # Deltas, what a method makes of each of them, and a few of its own.
        copies = 2 * len(self.experts) + 4
        return size * itemsize(FLOATS[self.compute_dtype]) * copies

    def run(self) -> None:
        """Write the merged model, or nothing."""
        provenance = self.provenance()
        plan = self.plan
        with whole_directory(self.output) as directory:
            rule = self.method.survey(_Stream(self))
            writer = Writer(directory, plan)
            with tqdm(
                total=writer.total,
                desc=f"merge {len(plan)} tensors",
                unit="B",
                unit_scale=True,
                disable=None,
            ) as bar:
                writer.write(
                    (name, self._merge(rule, name, dtype, bar))
                    for name, (dtype, _) in plan.items()
                )
            copy_side_files(self.base, directory, self.dtype)
            text = yaml.safe_dump(provenance, sort_keys=False, allow_unicode=True)
            (directory / PROVENANCE).write_text(text, encoding="utf-8")

    def provenance(self) -> dict[str, Any]:
        """Return what determines the bytes of the result; no time, no host."""
        import numpy as np

        versions = {"espnet_merge": __version__, "numpy": np.__version__}
        if self.method.arrays == "torch":
            import torch

            versions["torch"] = str(torch.__version__)
        inputs = [_hashes(checkpoint) for checkpoint in (self.base, *self.experts)]
        for expert, hashes in zip(self.experts, inputs[1:], strict=True):
            if _weights(hashes) == _weights(inputs[0]):
                raise InputError(
                    f"{expert.path}: holds the same weights as the base"
                    f" {self.base.path}; its task vector is zero, leave it out."
                )
        names = {kind: name for name, kind in METHODS.items()}
        params = self.method.params
        return {
            "method": names[self.method.kind],
            "params": {
                k: list(v) if isinstance(v, tuple) else v for k, v in params.items()
            },
            "dtype": self.dtype,
            "compute_dtype": self.compute_dtype,
            "base": {"path": str(self.base.path), "sha256": inputs[0]},
            "experts": [
                {"path": str(expert.path), "sha256": hashes}
                for expert, hashes in zip(self.experts, inputs[1:], strict=True)
            ],
            "versions": versions,
        }

    def _merge(
        self, rule: Rule, name: str, dtype: str, bar: "tqdm[Any]"
    ) -> Iterator["NDArray[Any]"]:
        """Yield the stored bits of the merged tensor ``name``, piece by piece."""
        import numpy as np

        entry = self.base.entries[name]
        if not entry.is_float:
            bar.update(entry.nbytes)
            yield self.base.stored(name)
            return
        for piece in self._pieces(name):
            site, tensors = self._at(name, piece)
            with np.errstate(over="ignore", invalid="ignore"):
                merged = rule(tensors, site)
                if self.method.space == "deltas":
                    merged = merged + site.base
            result = np.asarray(merged).ravel()
            _check_overflow(name, result, dtype)
            bits = to_stored(result, dtype)
            bar.update(bits.nbytes)
            yield bits

    def _pieces(self, name: str) -> Iterator[slice]:
        """Yield the pieces in which the method sees the tensor ``name``."""
        size = self.base.entries[name].size
        step = PIECE if self.method.elementwise else max(1, size)
        for start in range(0, size, step):
            yield slice(start, start + step)

    @cached_property
    def _depths(self) -> dict[str, int]:
        """Number of layers by the name of their stack, such as model.encoder.layers."""
        depths: dict[str, int] = {}
        for stack, layer in map(layer_of, self.base.entries):
            if layer is not None:
                depths[stack] = max(layer + 1, depths.get(stack, 0))
        return depths

    def _at(self, name: str, piece: slice = slice(None)) -> tuple[Site, list[Array]]:
        """Return what the method sees of the tensor ``name``."""
        shape = self.base.entries[name].shape
        base = self._read(self.base, name, piece)
        tensors = [self._read(expert, name, piece) for expert in self.experts]
        if self.method.space == "deltas":
            tensors = [tensor - base for tensor in tensors]
        arrays: list[Array] = [base, *tensors]
        if not self.method.elementwise:
            arrays = [array.reshape(shape) for array in arrays]
        if self.method.arrays == "torch":
            arrays = [_as_torch(array) for array in arrays]
        base, *tensors = arrays
        stack, layer = layer_of(name)
        site = Site(
            name=name,
            role=role_of(name, shape),
            base=base,
            start=piece.start or 0,
            layer=layer,
            depth=self._depths.get(stack, 0),
        )
        return site, tensors

    def _read(self, source: Checkpoint, name: str, piece: slice) -> "NDArray[Any]":
        import numpy as np

        values = source.read(name, self.compute_dtype, piece)
        # The sum is one quick pass, and only a NaN, an Inf or an overflow spoils it.
        with np.errstate(all="ignore"):
            suspicious = not np.isfinite(values.sum())
        if suspicious and not np.isfinite(values).all():
            raise InputError(
                f"{source.entries[name].file}: tensor {name} holds NaN or Inf;"
                " the training diverged, use an earlier checkpoint."
            )
        return values


@dataclass(frozen=True)
class _Stream:
    """All float tensors, as often as a survey needs them."""

    merge: Merge

    def __iter__(self) -> Iterator[tuple[Site, list[Array]]]:
        for name, entry in self.merge.base.entries.items():
            if entry.is_float:
                for piece in self.merge._pieces(name):
                    yield self.merge._at(name, piece)


def _as_torch(array: "NDArray[Any]") -> Array:
    """Return a tensor that may be written to, unlike a view of a read-only file."""
    import numpy as np
    import torch

    return torch.from_numpy(array if array.flags.writeable else np.array(array))


def _check_overflow(name: str, merged: "NDArray[Any]", dtype: str) -> None:
    peak = float(max(merged.max(initial=0), -merged.min(initial=0)))
    if not peak <= LARGEST[dtype]:
        raise InputError(
            f"tensor {name}: the merged values reach {peak:g}, beyond the type of the"
            " output; lower the scale or use --dtype float32."
        )


def _hashes(checkpoint: Checkpoint) -> dict[str, str]:
    hashes = {}
    for path in checkpoint.files:
        with path.open("rb") as file:
            hashes[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return hashes


def _weights(hashes: Mapping[str, str]) -> set[str]:
    return {value for name, value in hashes.items() if name.endswith(".safetensors")}
