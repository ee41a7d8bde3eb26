"""Merge checkpoints: the only loop over tensors in this package."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from tqdm import tqdm

from espnet_merge import __version__
from espnet_merge.checkpoint import Adapter, Checkpoint, Format
from espnet_merge.checkpoint.agree import check_base_of, check_moved, check_same_model
from espnet_merge.checkpoint.atomic import check_output, whole_directory
from espnet_merge.checkpoint.identity import expert_digest
from espnet_merge.checkpoint.output import Output
from espnet_merge.checkpoint.safetensors import FLOATS, itemsize, to_stored
from espnet_merge.errors import InputError
from espnet_merge.methods import METHODS, Method
from espnet_merge.sites import Sites

if TYPE_CHECKING:
    from numpy.typing import NDArray

PROVENANCE = "merge.yaml"
# Largest finite value of a type.
LARGEST = {"F32": 3.4028e38, "F16": 65504.0, "BF16": 3.3895e38}


@dataclass(frozen=True, kw_only=True)
class Merge:
    """A merge that has been checked as far as headers tell, and not yet begun.

    Args:
        method: What to do at each tensor.
        base: Checkpoint that all experts started from.
        experts: Fine-tuned checkpoints of the same model, or adapters of it.
        output: Directory to write; it appears only once complete.
        format: What to write there; the format of the base by default.
        dtype: Type of the result's floats: float32, float16 or bfloat16.
        compute_dtype: Type of the arithmetic: float32 or float64.
        overwrite: Whether an older merge in ``output`` may be replaced.

    Raises:
        InputError: the inputs do not belong together, or the output is taken.
    """

    method: Method
    base: Checkpoint
    experts: Sequence[Checkpoint | Adapter]
    output: Path
    format: Format | None = None
    dtype: str = "float32"
    compute_dtype: str = "float32"
    overwrite: bool = False

    def __post_init__(self) -> None:
        """Check everything that does not need the weights."""
        for checkpoint in (self.base, *self.experts):
            if self.output.resolve() in _directories(checkpoint):
                raise InputError(
                    f"{self.output}: output and input are one directory; give another"
                    " --output."
                )
        check_same_model(self.base, self.experts)
        self.method.check_names([n for n, e in self.base.entries.items() if e.is_float])
        self.method.check_experts(len(self.experts))
        _ = self.written
        check_output(self.output, overwrite=self.overwrite, mark=PROVENANCE)

    @property
    def written(self) -> Output:
        """The format of the result and what it takes from the inputs."""
        models = [x for x in (self.base, *self.experts) if isinstance(x, Checkpoint)]
        return Output(self.format or self.base.format, models)

    @cached_property
    def sites(self) -> Sites:
        """What the method sees."""
        return Sites(self.method, self.base, self.experts, self.compute_dtype)

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
        size = max(map(self.sites.largest, self.base.entries), default=0)
        # Deltas, what a method makes of each of them, and a few of its own.
        copies = 2 * len(self.experts) + 4
        return size * itemsize(FLOATS[self.compute_dtype]) * copies

    def check_weights(self) -> None:
        """Check what the headers do not tell: that experts differ from their base."""
        for expert in self.experts:
            check_moved(self.base, expert)
            if isinstance(expert, Adapter):
                check_base_of(self.base, expert)
        if self.method.files:
            digests = [expert_digest(self.base, expert) for expert in self.experts]
            self.method.check_digests(digests)

    def run(self) -> None:
        """Write the merged model, or nothing."""
        self.check_weights()
        provenance = self.provenance()
        plan = self.plan
        with whole_directory(self.output) as directory:
            writer = self.written.writer(directory, plan)
            with tqdm(
                total=writer.total,
                desc=f"merge {len(plan)} tensors",
                unit="B",
                unit_scale=True,
                disable=None,
            ) as bar:
                writer.write(
                    (name, self._merge(name, dtype, bar))
                    for name, (dtype, _) in plan.items()
                )
            self.written.copy_side_files(directory, self.dtype)
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
        names = {kind: name for name, kind in METHODS.items()}
        params = self.method.params
        files = {str(path): _sha256(path) for path in self.method.files}
        return {
            "method": names[self.method.kind],
            "params": {
                k: list(v) if isinstance(v, tuple) else v for k, v in params.items()
            },
            "format": self.written.format,
            "dtype": self.dtype,
            "compute_dtype": self.compute_dtype,
            "base": {"path": str(self.base.path), "sha256": inputs[0]},
            "experts": [
                {"path": str(expert.path), "sha256": hashes}
                for expert, hashes in zip(self.experts, inputs[1:], strict=True)
            ],
            "versions": versions,
        } | ({"files": files} if files else {})

    def _merge(
        self, name: str, dtype: str, bar: "tqdm[Any]"
    ) -> Iterator["NDArray[Any]"]:
        """Yield the stored bits of the merged tensor ``name``, piece by piece."""
        import numpy as np

        entry = self.base.entries[name]
        if not entry.is_float:
            bar.update(entry.nbytes)
            yield self.base.stored(name)
            return
        rule = self.sites.rule(name)
        for site, tensors in self.sites.pieces(name):
            with np.errstate(over="ignore", invalid="ignore"):
                merged = rule(tensors, site)
                if self.method.space == "deltas":
                    merged = merged + site.base
            result = np.asarray(merged).ravel()
            check_overflow(name, result, dtype)
            bits = to_stored(result, dtype)
            bar.update(bits.nbytes)
            yield bits


def check_overflow(name: str, merged: "NDArray[Any]", dtype: str) -> None:
    """Raise ``InputError`` where a value does not fit the type of the output."""
    peak = float(max(merged.max(initial=0), -merged.min(initial=0)))
    if not peak <= LARGEST[dtype]:
        raise InputError(
            f"tensor {name}: the merged values reach {peak:g}, beyond the type of the"
            " output; lower the scale or use --dtype float32."
        )


def _directories(checkpoint: Checkpoint | Adapter) -> set[Path]:
    """Return the input, and the directory that holds it where it is a file."""
    path = checkpoint.path.resolve()
    return {path, path.parent} if path.is_file() else {path}


def _hashes(checkpoint: Checkpoint | Adapter) -> dict[str, str]:
    return {path.name: _sha256(path) for path in checkpoint.files}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
