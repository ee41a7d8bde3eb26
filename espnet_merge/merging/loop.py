"""The only loop over tensors: open the inputs, merge, and write whole results."""

import operator
import zlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from espnet_merge.arrays import Array
from espnet_merge.checkpoint.dtypes import FLOATS, check_overflow, to_stored
from espnet_merge.checkpoint.factored import Factored
from espnet_merge.checkpoint.output import TensorWriter
from espnet_merge.checkpoint.stored import sizes_of
from espnet_merge.disk.atomic import whole_directory
from espnet_merge.errors import InputError
from espnet_merge.files import MERGE_YAML
from espnet_merge.linalg.backend import on_cpu
from espnet_merge.merging.inputs import Inputs
from espnet_merge.merging.merge import Merge
from espnet_merge.merging.provenance import (
    Record,
    digests,
    record_of,
    result_of,
    write_record,
)
from espnet_merge.merging.threads import (
    check_device,
    keep_freed_memory,
    limit_threads,
    progress,
)
from espnet_merge.methods import ElementwiseMerge, TensorInfo
from espnet_merge.methods._base import scope_of
from espnet_merge.workers import Workers

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A tensor of at most so many chunks goes through both passes in one thread, while other
# threads work on other tensors. 8 chunks are 2^21 entries: the matrices of base, 2^20,
# are below.
CHUNKS_OF_ONE_THREAD = 8


def accept(record: Record) -> None:
    """Accept every record."""


@dataclass(frozen=True)
class Target:
    """A result to be written.

    Args:
        output: Directory of the result.
        record: What determines its bytes.
        writer: Opens the writer of its tensors in a directory.
        finish: Writes into this directory what belongs to the tensors.
        overwrite: Whether an older result may be replaced.
    """

    output: Path
    record: Record
    writer: Callable[[Path], AbstractContextManager[TensorWriter]]
    finish: Callable[[Path], None] = lambda directory: None
    overwrite: bool = False


# Stored bits of a tensor or of its next chunk, for each target: the number of the
# target, the name of the tensor, the bits.
type Bits = list[tuple[int, str, NDArray[Any]]]
# Merges a tensor or its next chunk.
type Step = Callable[[], Bits]
# Where ``TensorInfo.memoise`` keeps what was computed of a tensor.
type Cache = dict[Hashable, Any]


@contextmanager
def opened(
    merges: Sequence[Merge], jobs: int, device: str
) -> Iterator[tuple[Inputs, list[Record]]]:
    """Check and open the common inputs of some merges; give their records, too.

    Args:
        merges: Merges that differ in method and output alone.
        jobs: Number of threads.
        device: Where torch's arrays are made: cpu or cuda.

    Raises:
        InputError: the weights or the device do not suit.
    """
    first = merges[0]
    first.check_weights()
    for merge in merges[1:]:
        merge.check_statistics()
    check_device(device, torch=any(x.kind.arrays == "torch" for x in merges))
    limits = limit_threads(merges, device)
    keep_freed_memory()
    with Workers(jobs) as workers, limits:
        hashes = digests(first, workers)
        inputs = Inputs(first.base, first.experts, first.compute_dtype, device, workers)
        yield inputs, [record_of(merge, hashes) for merge in merges]


def run(
    merges: Sequence[Merge],
    jobs: int = 1,
    device: str = "cpu",
    check: Callable[[Record], None] = accept,
) -> None:
    """Write the results of several merges of the same inputs in one pass over them.

    Args:
        merges: Merges that differ in method and output alone.
        jobs: Number of threads; the bytes do not depend on it.
        device: Where torch's arrays are made: cpu or cuda.
        check: Looks at the record of each: before the merge, then with its result.

    Raises:
        InputError: the weights do not suit; no result is left then.
    """
    with opened(merges, jobs, device) as (inputs, records):
        targets = [
            target_of(merge, record)
            for merge, record in zip(merges, records, strict=True)
        ]
        names = list(merges[0].plan)
        write(targets, merged(inputs, merges, names), inputs.workers, check)


def target_of(merge: Merge, record: Record) -> Target:
    """Return the whole model that ``merge`` makes."""
    return Target(
        merge.output,
        record,
        writer=lambda directory: merge.written.writer(directory, merge.plan),
        finish=lambda directory: merge.written.copy_side_files(directory, merge.dtype),
        overwrite=merge.overwrite,
    )


def write(
    targets: Sequence[Target],
    steps: Iterable[Step],
    workers: Workers,
    check: Callable[[Record], None] = accept,
) -> None:
    """Write all targets, each whole, or none of them.

    Args:
        targets: What to write.
        steps: Make the tensors, in the order of the writers.
        workers: Threads that run the steps.
        check: Looks at the record of each: before the merge, then with its result.
    """
    for target in targets:
        check(target.record)
    checksums = [0] * len(targets)
    with ExitStack() as stack:
        directories = [
            stack.enter_context(
                whole_directory(x.output, MERGE_YAML, overwrite=x.overwrite)
            )
            for x in targets
        ]
        with ExitStack() as files:
            writers = [
                files.enter_context(target.writer(directory))
                for target, directory in zip(targets, directories, strict=True)
            ]
            for number, bits in _written(writers, steps, workers):
                checksums[number] = zlib.crc32(bits.data, checksums[number])
        for target, place, checksum in zip(
            targets, directories, checksums, strict=True
        ):
            record = target.record | result_of(checksum) | sizes_of(place)
            check(record)
            target.finish(place)
            write_record(place, record)


def _written(
    writers: Sequence[TensorWriter], steps: Iterable[Step], workers: Workers
) -> Iterator[tuple[int, "NDArray[Any]"]]:
    """Write what the steps make; yield it, with the number of its writer."""
    begun: list[str | None] = [None] * len(writers)
    with progress(sum(writer.total for writer in writers)) as bar:
        for parts in workers.map(operator.call, steps):
            for number, name, bits in parts:
                if name != begun[number]:
                    writers[number].begin(name)
                    begun[number] = name
                writers[number].put(bits)
                yield number, bits
                if bar:
                    bar.update(bits.nbytes)


def merged(
    inputs: Inputs,
    merges: Sequence[Merge],
    names: Iterable[str],
    cache_of: Callable[[str], Cache] = lambda name: {},
) -> Iterator[Step]:
    """Yield the steps that merge the tensors ``names``, chunk by chunk.

    Methods that take a whole matrix run one after another, so that what one computes of
    it is there for the next. The others take the chunks as they are read.

    Args:
        inputs: Base and experts.
        merges: Merges that differ in method and output alone.
        names: Tensors, in the order of the steps.
        cache_of: Returns what is known of a tensor by name: nothing, or what an earlier
            pass over the same inputs has kept.
    """
    for name in names:
        entry = inputs.base.entries[name]
        if entry.is_float and entry.size:
            yield from _steps(inputs, merges, name, cache_of)
        else:
            yield partial(_kept, inputs, name, len(merges))


def _kept(inputs: Inputs, name: str, count: int) -> Bits:
    """Return the tensor of the base, for every target."""
    stored = inputs.base.stored(name)
    return [(number, name, stored) for number in range(count)]


def _steps(
    inputs: Inputs,
    merges: Sequence[Merge],
    name: str,
    cache_of: Callable[[str], Cache],
) -> Iterator[Step]:
    methods = [merge.at(name) for merge in merges]
    checked = not all(method.propagates_nan for method in methods)
    tensor = inputs.open(name, checked=checked)
    whole = [i for i, method in enumerate(methods) if method.is_matrix(tensor.info)]
    rest = [i for i in range(len(methods)) if i not in whole]
    shared = cache_of(name)

    def matrices() -> Bits:
        cache, parts = cache_of(name), []
        for i in whole:
            merge = inputs.alone.elementwise(methods[i], name, cache)
            form = tensor.matrix(methods[i], cache)
            parts.append((i, name, _bits(merges[i], merge, *form)))
        return parts

    def ready(inputs: Inputs) -> dict[int, ElementwiseMerge]:
        return {i: inputs.elementwise(methods[i], name, shared) for i in rest}

    def merge(chunk: slice, ready: Mapping[int, ElementwiseMerge]) -> Bits:
        forms: dict[Any, tuple[TensorInfo, Sequence[Array]]] = {}
        parts = []
        for i, elementwise in ready.items():
            form = (methods[i].space, methods[i].arrays, methods[i].base)
            if form not in forms:
                forms[form] = tensor.chunk(chunk, methods[i])
            try:
                bits = _bits(merges[i], elementwise, *forms[form])
            except InputError:
                # If NaN or Inf was in an input already, that input is to be named.
                inputs.open(name).chunk(chunk, methods[i])
                raise
            parts.append((i, name, bits))
        return parts

    def all_chunks() -> Bits:
        alone = ready(inputs.alone)
        return [part for chunk in chunks for part in merge(chunk, alone)]

    for i in whole:
        if scope_of(methods[i]) == "model":
            inputs.elementwise(methods[i], name)  # by all threads, and kept
    if whole:
        yield matrices
    chunks = tensor.chunks() if rest else []
    scopes = {scope_of(methods[i]) for i in rest}
    few = len(chunks) <= CHUNKS_OF_ONE_THREAD
    if "tensor" in scopes and "model" not in scopes and few:
        yield all_chunks
    elif rest:
        found = ready(inputs)
        yield from (partial(merge, chunk, found) for chunk in chunks)


def _bits(
    merge: Merge,
    elementwise: ElementwiseMerge,
    info: TensorInfo,
    tensors: Sequence[Array],
) -> "NDArray[Any]":
    """Return the stored bits of what is merged from the tensors."""
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore"):
        result = elementwise(tensors, info)
        if isinstance(result, Factored):
            result = result.dense()
        if merge.kind.space == "deltas":
            result += info.base
    result = on_cpu(result)
    dtype = FLOATS[merge.dtype]
    check_overflow(info.name, result, dtype)
    return to_stored(result.ravel(), dtype)
