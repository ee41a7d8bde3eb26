"""Merge checkpoints: the only loop over tensors in this package."""

import zlib
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from espnet_merge.checkpoint import Adapter, Checkpoint, Format
from espnet_merge.checkpoint.agree import check_base_of, check_moved, check_same_model
from espnet_merge.checkpoint.atomic import check_output, whole_directory
from espnet_merge.checkpoint.identity import expert_digest
from espnet_merge.checkpoint.output import Output, TensorWriter
from espnet_merge.checkpoint.safetensors import FLOATS, is_finite, itemsize, to_stored
from espnet_merge.errors import InputError
from espnet_merge.methods import Array, Method, Rule, Site
from espnet_merge.methods._factored import Factored
from espnet_merge.provenance import (
    PROVENANCE,
    describe,
    digests,
    result_of,
    write_record,
)
from espnet_merge.sites import Sites
from espnet_merge.workers import (
    Workers,
    keep_freed_memory,
    one_thread_each,
    progress,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Pieces of a tensor that are surveyed and merged in one step, at most.
TOGETHER = 8
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

    def check_weights(self) -> None:
        """Check what the headers do not tell: that experts differ from their base."""
        for expert in self.experts:
            check_moved(self.base, expert)
            if isinstance(expert, Adapter):
                check_base_of(self.base, expert)
        self.check_statistics()

    def check_statistics(self) -> None:
        """Check that statistics, where the method needs any, are of these experts."""
        if self.method.files:
            trained = [expert_digest(self.base, expert) for expert in self.experts]
            self.method.check_digests(trained)

    def run(self, jobs: int = 1, device: str = "cpu") -> None:
        """Write the merged model, or nothing.

        Args:
            jobs: Number of threads; the bytes do not depend on it.
            device: Where torch's arrays are made: cpu or cuda.
        """
        run([self], jobs, device)


@dataclass
class Target:
    """A result that is being written.

    Args:
        merge: What is written.
        directory: Where, for the time being.
        writer: Takes the tensors.
        crc32: Checksum of the stored bits of all tensors, one after another.
    """

    merge: Merge
    directory: Path
    writer: TensorWriter
    crc32: int = 0

    def put(self, bits: "NDArray[Any]") -> None:
        """Write stored bits of the tensor that was begun."""
        self.crc32 = zlib.crc32(bits.data, self.crc32)
        self.writer.put(bits)

    def finish(self, record: dict[str, Any]) -> None:
        """Write what belongs to the tensors, and where they come from."""
        self.merge.written.copy_side_files(self.directory, self.merge.dtype)
        write_record(self.directory, record | result_of(self.crc32))


def run(
    merges: Sequence[Merge],
    jobs: int = 1,
    device: str = "cpu",
    check: "Callable[[dict[str, Any]], None]" = lambda record: None,
) -> None:
    """Write the results of several merges of the same inputs in one pass over them.

    Args:
        merges: They differ in method and output alone.
        jobs: Number of threads; the bytes do not depend on it.
        device: Where torch's arrays are made: cpu or cuda.
        check: Looks at the record of each: before the merge, then with its result.

    Raises:
        InputError: the weights do not suit; no result is left then.
    """
    first = merges[0]
    first.check_weights()
    for merge in merges[1:]:
        merge.check_statistics()
    check_device(device, torch=any(x.method.arrays == "torch" for x in merges))
    limits = limit_threads(merges, device)
    keep_freed_memory()
    with Workers(jobs) as workers, limits, ExitStack() as stack:
        hashes = digests(first, workers)
        records = [describe(merge, hashes) for merge in merges]
        for record in records:
            check(record)
        sites = Sites(first.base, first.experts, first.compute_dtype, device, workers)
        directories = [stack.enter_context(whole_directory(m.output)) for m in merges]
        with ExitStack() as files:
            targets = [
                Target(m, x, files.enter_context(m.written.writer(x, m.plan)))
                for m, x in zip(merges, directories, strict=True)
            ]
            write(sites, targets, list(first.plan))
        for target, record in zip(targets, records, strict=True):
            check(record | result_of(target.crc32))
            target.finish(record)


def write(sites: Sites, targets: Sequence[Target], names: Sequence[str]) -> None:
    """Merge the tensors ``names`` and write them to all targets, in this order."""
    merges = [target.merge for target in targets]
    total = sum(target.writer.total for target in targets)
    with progress(total) as bar:
        steps = (
            (name, step)
            for name in names
            for step in (list, *_steps(sites, merges, name))
        )
        done = 0
        for name, parts in sites.workers.map(lambda x: (x[0], x[1]()), steps):
            if not parts:
                for target in targets:
                    target.writer.begin(name)
                done += 1
                if bar:
                    bar.set_description(f"tensor {done} of {len(names)}", refresh=False)
            for number, bits in parts:
                targets[number].put(bits)
                if bar:
                    bar.update(bits.nbytes)


# Number of the merge, and stored bits of a tensor or of its next piece.
type Parts = list[tuple[int, NDArray[Any]]]


def _steps(
    sites: Sites, merges: Sequence[Merge], name: str
) -> Iterator[Callable[[], Parts]]:
    """Yield functions that merge the tensor ``name``, piece by piece.

    Methods that take a whole matrix follow one another, and share what they compute of
    it; the others take the pieces as they are read.
    """
    if not sites.base.entries[name].is_float:
        stored = sites.base.stored(name)
        yield lambda: [(number, stored) for number in range(len(merges))]
        return
    methods = [merge.method.at(name) for merge in merges]
    checked = not all(method.spreads for method in methods)
    tensor = sites.open(name, checked=checked)
    whole = [i for i, method in enumerate(methods) if method.is_matrix(tensor.site)]
    rest = [i for i in range(len(methods)) if i not in whole]
    scopes = {methods[i].scope for i in rest}

    surveyed: dict[Hashable, Any] = {}

    def matrices() -> Parts:
        cache: dict[Hashable, Any] = {}
        return [
            (i, _bits(merges[i], methods[i], *tensor.matrix(methods[i], cache)))
            for i in whole
        ]

    def rules(sites: Sites) -> dict[int, Rule]:
        return {i: sites.rule(methods[i], name, surveyed) for i in rest}

    def merged(piece: slice, rules: Mapping[int, Rule]) -> Parts:
        forms: dict[Any, tuple[Site, Sequence[Array]]] = {}
        parts = []
        for i, rule in rules.items():
            form = (methods[i].space, methods[i].arrays, methods[i].base)
            if form not in forms:
                forms[form] = tensor.piece(piece, methods[i])
            try:
                bits = _bits(merges[i], rule, *forms[form])
            except InputError:
                # It may have been in an input already, which is to be named then.
                sites.open(name).piece(piece, methods[i])
                raise
            parts.append((i, bits))
        return parts

    def together() -> Parts:
        found = rules(sites.alone)
        return [part for piece in pieces for part in merged(piece, found)]

    if whole:
        yield matrices
    pieces = tensor.pieces() if rest else []
    if "tensor" in scopes and "model" not in scopes and len(pieces) <= TOGETHER:
        # A survey of few pieces is no work for many threads, but many tensors are.
        yield together
    elif rest:
        found = rules(sites)
        yield from (partial(merged, piece, found) for piece in pieces)


def _bits(
    merge: Merge, rule: Rule, site: Site, tensors: Sequence[Array]
) -> "NDArray[Any]":
    """Return the stored bits of what the rule makes of the tensors."""
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore"):
        merged = rule(tensors, site)
        if isinstance(merged, Factored):
            merged = merged.dense()
        if merge.method.space == "deltas":
            merged += site.base
    if not isinstance(merged, np.ndarray):
        merged = merged.cpu().numpy()
    dtype = FLOATS[merge.dtype]
    check_overflow(site.name, merged, dtype)
    return to_stored(merged.ravel(), dtype)


def limit_threads(merges: Sequence[Merge], device: str) -> AbstractContextManager[None]:
    """Return ``one_thread_each``, which takes time to load, unless all is summed."""
    if all(m.method.at(name).spreads for m in merges for name in m.plan):
        return nullcontext()
    lapack = any(merge.method.factored for merge in merges)
    return one_thread_each(lapack=lapack, torch=device != "cpu")


def check_device(device: str, *, torch: bool) -> None:
    """Raise ``InputError`` where the device is not there or not of use."""
    if device == "cpu":
        return
    if not torch:
        raise InputError(
            f"--device {device}: no matrix is decomposed, and the disk is slower than"
            " the processor; leave the option out."
        )
    from torch import cuda

    if not cuda.is_available():
        raise InputError(
            f"--device {device}: PyTorch finds no GPU; use --device cpu, or a machine"
            " with one."
        )


def check_overflow(name: str, merged: "NDArray[Any]", dtype: str) -> None:
    """Raise ``InputError`` where a value does not fit the type of the output."""
    # One pass where nothing but an infinity can be too large.
    if dtype == "F32" and merged.dtype == "f4" and is_finite(merged):
        return
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
