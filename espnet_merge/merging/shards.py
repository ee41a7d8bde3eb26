"""A merge in parts, each by a job of its own, and their joining."""

import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from espnet_merge.checkpoint import Checkpoint
from espnet_merge.checkpoint.hf import SINGLE
from espnet_merge.checkpoint.safetensors import SafetensorsWriter, read_header
from espnet_merge.disk.atomic import check_output
from espnet_merge.disk.temporary import remove, remove_stale
from espnet_merge.errors import InputError
from espnet_merge.files import MERGE_YAML
from espnet_merge.merging.inputs import Inputs
from espnet_merge.merging.loop import Bits, Target, merged, opened, target_of, write
from espnet_merge.merging.merge import Merge
from espnet_merge.merging.provenance import (
    Record,
    check_result,
    read_record,
)
from espnet_merge.merging.replay import rebuild
from espnet_merge.workers import Workers

# What the record of a part has of its own.
OF_PART = ("shard", "result", "bytes")


def parts_of(output: Path) -> Path:
    """Return the directory of the parts of the result ``output``."""
    return output.with_name(f"{output.name}.parts")


def names_of(merge: Merge, number: int, count: int) -> list[str]:
    """Return the tensors of a part; all parts have about the same work."""
    inputs = Inputs(merge.base, merge.experts)
    work = {name: _work(inputs, merge, name) for name in merge.plan}
    loads, parts = [0] * count, {}
    for name in sorted(work, key=lambda name: (-work[name], name)):
        parts[name] = loads.index(min(loads))
        loads[parts[name]] += work[name]
    return [name for name in merge.plan if parts[name] == number - 1]


def _work(inputs: Inputs, merge: Merge, name: str) -> int:
    entry = merge.base.entries[name]
    whole = entry.is_float and merge.at(name).is_matrix(inputs.info(name))
    return entry.size * (min(entry.shape) if whole else 1)


def run_part(
    merge: Merge, number: int, count: int, jobs: int = 1, device: str = "cpu"
) -> bool:
    """Write part ``number`` of ``count``, or nothing; tell whether there was any need.

    A part that is there and belongs to this merge is left as it is.

    Raises:
        InputError: a part is there and belongs to another merge.
    """
    directory = parts_of(merge.output) / f"{number}-of-{count}"
    with opened([merge], jobs, device) as (inputs, (record,)):
        record |= {"shard": f"{number}/{count}"}
        if directory.exists():
            check_output(directory, overwrite=True, mark=MERGE_YAML)
            if _same(read_record(directory), record):
                return False
            if not merge.overwrite:
                raise InputError(
                    f"{directory}: exists, and is of another merge; give another"
                    " --output or --overwrite."
                )
        names = names_of(merge, number, count)
        plan = {name: merge.plan[name] for name in names}
        target = Target(
            directory,
            record,
            lambda place: SafetensorsWriter(place / SINGLE, plan),
            overwrite=merge.overwrite,
        )
        write([target], merged(inputs, [merge], names), inputs.workers)
    return True


def join(
    output: Path, *, find: Callable[[str], Path] = Path, overwrite: bool = False
) -> None:
    """Put the parts of ``output`` together, as if one job had made it.

    Args:
        output: Of the merge.
        find: Where an input is that the records name.
        overwrite: Whether an older merge there may be replaced.

    Raises:
        InputError: a part is missing or damaged, or they are of different merges.
    """
    directories = _complete(parts_of(output))
    records = [read_record(directory) for directory in directories]
    for directory, record in zip(directories, records, strict=True):
        if not _same(record, records[0]):
            raise InputError(
                f"{directory}: is of another merge than {directories[0]}; make it anew"
                " with --shard and --overwrite."
            )
    merge = rebuild(records[0], output, find=find, overwrite=overwrite)
    parts = [Checkpoint(x, read_header(x / SINGLE), {}, ()) for x in directories]
    where = {name: i for i, part in enumerate(parts) for name in part.entries}
    if where.keys() != merge.plan.keys():
        raise InputError(
            f"{parts_of(output)}: the parts do not hold the tensors of the merge; make"
            " them anew."
        )
    checksums = [0] * len(parts)

    def read(name: str) -> Bits:
        number = where[name]
        bits = parts[number].stored(name)
        checksums[number] = zlib.crc32(bits.data, checksums[number])
        return [(0, name, bits)]

    def check(record: Record) -> None:
        if "result" in record:
            for part, own, checksum in zip(parts, records, checksums, strict=True):
                check_result(part.path, checksum, own)

    record = {k: v for k, v in records[0].items() if k not in OF_PART}
    steps = (partial(read, name) for name in merge.plan)
    try:
        write([target_of(merge, record)], steps, Workers(), check)
    except FileNotFoundError as error:
        raise InputError(
            f"{parts_of(output)}: a part is gone: another run has joined them; look at"
            f" {output}, or make them anew."
        ) from error
    for directory in directories:
        remove(directory)
    remove_stale(parts_of(output))
    with suppress(OSError):  # where another job still writes a part
        parts_of(output).rmdir()


def _complete(directory: Path) -> list[Path]:
    """Return the parts in ``directory``, all of them."""
    found = sorted(directory.glob("[0-9]*-of-*"))
    if not found:
        raise InputError(f"{directory}: holds no parts; make them with --shard first.")
    count = int(found[0].name.rpartition("-")[2])
    parts = [directory / f"{number}-of-{count}" for number in range(1, count + 1)]
    for part in parts:
        if not (part / MERGE_YAML).is_file():
            raise InputError(f"{part}: is missing; make it with --shard.")
    if len(found) > count:
        raise InputError(
            f"{directory}: parts of another count beside those of {count}; remove them."
        )
    return parts


def _same(record: Record, other: Record) -> bool:
    """Tell whether two records of parts are of one merge."""
    whole = [{k: v for k, v in x.items() if k not in OF_PART} for x in (record, other)]
    return whole[0] == whole[1]
