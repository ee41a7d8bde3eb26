"""A merge in parts, each by a job of its own, and their joining."""

import shutil
import zlib
from pathlib import Path
from typing import Any

from espnet_merge.checkpoint import Checkpoint
from espnet_merge.checkpoint.atomic import check_output, whole_directory
from espnet_merge.checkpoint.hf import SINGLE, Writer
from espnet_merge.checkpoint.safetensors import read_header
from espnet_merge.errors import InputError
from espnet_merge.merge import Merge, Target, check_device, limit_threads, write
from espnet_merge.provenance import (
    PROVENANCE,
    check_result,
    describe,
    digests,
    read_record,
    result_of,
    write_record,
)
from espnet_merge.replay import rebuild
from espnet_merge.sites import Sites
from espnet_merge.workers import Workers

# What the record of a part has of its own.
OF_PART = ("shard", "result")


def parts_of(output: Path) -> Path:
    """Return the directory of the parts of the result ``output``."""
    return output.with_name(f"{output.name}.parts")


def names_of(merge: Merge, number: int, count: int) -> list[str]:
    """Return the tensors of a part, so that all parts have about the same work."""
    sites = Sites(merge.base, merge.experts)
    work = {name: _work(sites, merge, name) for name in merge.plan}
    loads, shares = [0] * count, {}
    for name in sorted(work, key=lambda name: (-work[name], name)):
        shares[name] = loads.index(min(loads))
        loads[shares[name]] += work[name]
    return [name for name in merge.plan if shares[name] == number - 1]


def _work(sites: Sites, merge: Merge, name: str) -> int:
    entry = merge.base.entries[name]
    whole = entry.is_float and merge.method.at(name).is_matrix(sites.site(name))
    return entry.size * (min(entry.shape) if whole else 1)


def run_shard(
    merge: Merge, number: int, count: int, jobs: int = 1, device: str = "cpu"
) -> bool:
    """Write part ``number`` of ``count``, or nothing; tell whether there was any need.

    A part that is there and belongs to this merge is left as it is.

    Raises:
        InputError: a part is there and belongs to another merge.
    """
    merge.check_weights()
    check_device(device, torch=merge.method.arrays == "torch")
    directory = parts_of(merge.output) / f"{number}-of-{count}"
    with Workers(jobs) as workers, limit_threads([merge], device):
        record = describe(merge, digests(merge, workers))
        record |= {"shard": f"{number}/{count}"}
        if directory.exists():
            check_output(directory, overwrite=True, mark=PROVENANCE)
            if _same(read_record(directory), record):
                return False
            if not merge.overwrite:
                raise InputError(
                    f"{directory}: exists, and is of another merge; give another"
                    " --output or --overwrite."
                )
        names = names_of(merge, number, count)
        plan = {name: merge.plan[name] for name in names}
        sites = Sites(merge.base, merge.experts, merge.compute_dtype, device, workers)
        with whole_directory(directory) as part:
            with Writer(part, plan, max_shard=2**63) as writer:
                target = Target(merge, part, writer)
                write(sites, [target], names)
            write_record(part, record | result_of(target.crc32))
    return True


def join(output: Path, *, overwrite: bool = False) -> None:
    """Put the parts of ``output`` together, as if one job had made it.

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
    merge = rebuild(records[0], output, overwrite=overwrite)
    parts = [Checkpoint(x, read_header(x / SINGLE), {}, ()) for x in directories]
    where = {name: i for i, part in enumerate(parts) for name in part.entries}
    if where.keys() != merge.plan.keys():
        raise InputError(
            f"{parts_of(output)}: the parts do not hold the tensors of the merge; make"
            " them anew."
        )
    checksums = [0] * len(parts)
    with whole_directory(output) as directory:
        with merge.written.writer(directory, merge.plan) as writer:
            target = Target(merge, directory, writer)
            for name in merge.plan:
                bits = parts[where[name]].stored(name)
                checksums[where[name]] = zlib.crc32(bits.data, checksums[where[name]])
                writer.begin(name)
                target.put(bits)
        for part, record, checksum in zip(parts, records, checksums, strict=True):
            check_result(part.path, checksum, record)
        target.finish({k: v for k, v in records[0].items() if k not in OF_PART})
    shutil.rmtree(parts_of(output))


def _complete(directory: Path) -> list[Path]:
    """Return the parts in ``directory``, all of them."""
    found = sorted(directory.glob("*-of-*"))
    if not found:
        raise InputError(f"{directory}: holds no parts; make them with --shard first.")
    count = int(found[0].name.rpartition("-")[2])
    parts = [directory / f"{number}-of-{count}" for number in range(1, count + 1)]
    for part in parts:
        if not (part / PROVENANCE).is_file():
            raise InputError(f"{part}: is missing; make it with --shard.")
    if len(found) > count:
        raise InputError(
            f"{directory}: parts of another count beside those of {count}; remove them."
        )
    return parts


def _same(record: dict[str, Any], other: dict[str, Any]) -> bool:
    """Tell whether two records of parts are of one merge."""
    whole = [{k: v for k, v in x.items() if k not in OF_PART} for x in (record, other)]
    return whole[0] == whole[1]
