"""Build a merge again from its record, and compare."""

import tempfile
import zlib
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from espnet_merge.checkpoint import Adapter, open_checkpoint, open_expert
from espnet_merge.checkpoint.output import in_order
from espnet_merge.errors import InputError
from espnet_merge.merging.loop import run
from espnet_merge.merging.merge import Merge
from espnet_merge.merging.provenance import Record, check_result
from espnet_merge.merging.to_adapter import AdapterMerge
from espnet_merge.methods import build_method


def rebuild(
    record: Record,
    output: Path,
    *,
    find: Callable[[str], Path] = Path,
    overwrite: bool = False,
) -> Merge:
    """Return the merge of ``record``, its inputs opened.

    Args:
        record: What ``merge.yaml`` holds.
        output: Where to write the result.
        find: Where an input is that the record names.
        overwrite: Whether an older merge there may be replaced.

    Raises:
        InputError: an input is gone, or no longer what it was by its headers.
    """
    base, *experts = [find(x["path"]) for x in (record["base"], *record["experts"])]
    for path in (base, *experts):
        if not path.exists():
            raise InputError(
                f"{path}: an input of the merge is gone; bring it back, or run where"
                " this path leads to it."
            )
    return Merge(
        method=build_method(record["method"], record["params"]),
        base=open_checkpoint(base),
        experts=[open_expert(path) for path in experts],
        output=output,
        format=None if record["format"] == "adapter" else record["format"],
        dtype=record["dtype"],
        compute_dtype=record["compute_dtype"],
        overwrite=overwrite,
    )


def check_stored(directory: Path, record: Record) -> None:
    """Raise ``InputError`` where a stored result is not what its record says.

    Reads it once.
    """
    opened = open_expert(directory)
    if isinstance(opened, Adapter):
        source = opened.weights
        order = [
            f"{name}.{factor}" for name in sorted(opened.scales) for factor in "AB"
        ]
    else:
        source = opened
        plan = {name: (x.dtype, x.shape) for name, x in opened.entries.items()}
        order = list(in_order(plan))
    checksum = 0
    for name in order:
        checksum = zlib.crc32(source.stored(name).data, checksum)
    check_result(directory, checksum, record)


def replay(
    record: Record,
    output: Path | None,
    *,
    find: Callable[[str], Path] = Path,
    stored: Path | None = None,
    overwrite: bool = False,
    jobs: int = 1,
    device: str = "cpu",
) -> None:
    """Merge as the record says; prove that inputs and result are the same bytes.

    Args:
        record: What ``merge.yaml`` of the first run holds.
        output: Where to write the result; None proves only, in a temporary directory.
        find: Where an input is that the record names.
        stored: The first result, where it is to be looked at, too.
        overwrite: Whether an older merge in ``output`` may be replaced.
        jobs: Number of threads.
        device: Where torch's arrays are made.

    Raises:
        InputError: an input or a result differs; nothing is left then.
    """
    if stored:
        check_stored(stored, record)

    def check(now: Record) -> None:
        check_inputs(record, now)
        if "result" in now:
            check_bytes(record, now)

    temporary = tempfile.TemporaryDirectory() if output is None else nullcontext()
    with temporary as directory:
        where = output or Path(str(directory)) / "model"
        merge = rebuild(record, where, find=find, overwrite=overwrite)
        if record["format"] == "adapter":
            rank = None if record["rank"] == "exact" else int(record["rank"])
            AdapterMerge(merge, rank).run(jobs, device, check)
        else:
            run([merge], jobs, device, check)


def check_inputs(record: Record, now: Record) -> None:
    """Raise ``InputError`` for the first input whose content is another."""
    sources = [
        (before["path"], before["sha256"], after["sha256"])
        for before, after in zip(
            (record["base"], *record["experts"]),
            (now["base"], *now["experts"]),
            strict=True,
        )
    ]
    sources.append(("files", record.get("files", {}), now.get("files", {})))
    # Records of older versions do not say what was copied.
    if "copied" in record:
        sources.append(("copied", record["copied"], now.get("copied", {})))
    for path, old, new in sources:
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                raise InputError(
                    f"{path}: {name} has changed since the merge: SHA-256"
                    f" {new.get(name)}, was {old.get(name)}; bring back the old one,"
                    " or merge anew."
                )


def check_bytes(record: Record, now: Record) -> None:
    """Raise ``InputError`` where the result has other bytes, with what may be why."""
    if record.get("result") == now["result"]:
        return
    old, new = record.get("versions", {}), now["versions"]
    moved = [
        f"{name} {old.get(name)} then and {new.get(name)} now"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]
    why = ", ".join(moved) or "the versions are the same, so another processor"
    raise InputError(
        f"the result has other bytes than the first one had: {why}; install what was"
        " used then, or merge anew."
    )
