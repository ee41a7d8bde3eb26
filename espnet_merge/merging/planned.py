"""A merge of whatever form, checked and estimated before it is made, and its result."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from espnet_merge.checkpoint import open_checkpoint, open_expert
from espnet_merge.checkpoint.labels import warn_of_labels
from espnet_merge.checkpoint.side_files import has_tokenizer
from espnet_merge.errors import InputError, warn
from espnet_merge.job_array import Shard
from espnet_merge.merging import estimate
from espnet_merge.merging.loop import run
from espnet_merge.merging.merge import Merge
from espnet_merge.merging.provenance import Record, read_record
from espnet_merge.merging.rounding import warn_of_rounded_experts
from espnet_merge.merging.shards import parts_of, run_part
from espnet_merge.merging.to_adapter import AdapterMerge

# Measured share of the merged task vector that rounding to the type destroys.
ROUNDING = {"float16": 3, "bfloat16": 16}


@dataclass(frozen=True)
class Merged:
    """What was merged.

    Attributes:
        output: directory of the result.
        title: what it is.
        note: what is to be said of it, if anything.
    """

    output: Path
    title: str
    note: str = ""

    @property
    def record(self) -> Record:
        """What determines its bytes, as ``merge.yaml`` in ``output`` holds it."""
        return read_record(self.output)

    def __repr__(self) -> str:
        return f"{self.title} -> {self.output}" + (f" ({self.note})" * bool(self.note))


@dataclass(frozen=True, kw_only=True)
class PlannedMerge:
    """A merge that is ready to be made; as text, what it is and what it needs.

    Args:
        merge: method, inputs and output.
        jobs: number of threads, >= 1; the result does not depend on it.
        device: where matrices are decomposed: cpu or cuda.
        adapter_rank: rank of the adapter that is made in place of a model: a number
            or ``exact``; None for a model.
        shard: the part to make, of a job array; None for all.

    Raises:
        InputError: a form of the result excludes another, or does not suit the merge.
    """

    merge: Merge
    jobs: int = 1
    device: str = "cpu"
    adapter_rank: str | int | None = None
    shard: Shard | None = None

    def __post_init__(self) -> None:
        if self.adapter_rank is not None and (self.merge.format or self.shard):
            other = "--format" if self.merge.format else "--shard"
            raise InputError(
                f"{other} is of a model, --output-adapter writes PEFT's; leave one of"
                " them out."
            )
        _ = self.adapter

    @cached_property
    def adapter(self) -> AdapterMerge | None:
        """The merge as that of an adapter, if it is to be one."""
        if self.adapter_rank is None:
            return None
        return AdapterMerge(self.merge, _rank(self.adapter_rank))

    @property
    def output(self) -> Path:
        """Directory that will be written."""
        return self.merge.output

    @property
    def memory(self) -> int:
        """Peak of the memory that it will need, in bytes."""
        return estimate.memory(self.merge, self.jobs)

    @property
    def seconds(self) -> float:
        """How long it will take, roughly."""
        return estimate.seconds([self.merge], self.jobs)

    def warn_of_result(self) -> None:
        """Say what the result will lack."""
        if not self.adapter:
            warn_of_what_lacks(self.merge)

    def __repr__(self) -> str:
        entries = self.merge.base.entries.values()
        size = sum(entry.nbytes for entry in entries)
        return (
            f"{self.merge.method}\n"
            f"{len(entries)} tensors, {size / 1e6:.1f} MB, {len(self.merge.experts)}"
            f" experts, about {self.memory / 1e6:.0f} MB of memory"
            f" and {self.seconds:.0f} s -> {self.output}"
        )

    def run(self) -> Merged:
        """Make it: all of it, or nothing.

        Raises:
            InputError: the weights do not suit, or the disk is full.
        """
        title = f"{self.merge.method} of {len(self.merge.experts)} experts"
        if self.adapter:
            kept = self.adapter.run(self.jobs, self.device)
            rank = self.adapter.written_rank
            note = f"rank {rank} keeps {100 * kept:.2f} % of the merged energy"
        elif self.shard:
            written = run_part(self.merge, *self.shard, self.jobs, self.device)
            what = "written" if written else "was there already"
            part = "/".join(map(str, self.shard))
            note = f"{parts_of(self.output)}: part {part} {what}"
        else:
            run([self.merge], self.jobs, self.device)
            note = ""
        # Not before: bad input is one line.
        self.warn_of_result()
        warn_of_rounding(self.merge.dtype)
        warn_of_rounded_experts(self.merge)
        return Merged(self.output, title, note)


def opened(base: Path, experts: Sequence[Path]) -> dict[str, Any]:
    """Return base and experts, opened, as ``Merge`` takes them."""
    found = {
        "base": open_checkpoint(base),
        "experts": [open_expert(expert) for expert in experts],
    }
    warn_of_labels(experts, merged=True)
    return found


def warn_of_what_lacks(merge: Merge) -> None:
    """Say so where a result lacks a configuration or a tokenizer."""
    written = merge.written
    if written.format == "espnet" and not written.template:
        warn(
            "no input has ESPnet's config.yaml; the result is weights alone, under the"
            " names of ESPnet's own Whisper."
        )
    if written.format == "hf" and not has_tokenizer(written.side_files):
        warn(
            "no input has a tokenizer; the result cannot decode before you copy one"
            " into it."
        )


def warn_of_rounding(dtype: str) -> None:
    """Say how much of the task vectors a short type loses."""
    if dtype in ROUNDING:
        warn(
            f"{dtype} rounds away about {ROUNDING[dtype]} % of the merged task vector;"
            " float32 keeps it."
        )


def _rank(asked: str | int) -> int | None:
    """Return the rank, None for 'exact'."""
    if asked == "exact":
        return None
    if not str(asked).isdecimal():
        raise InputError(
            f"--output-adapter takes a rank or 'exact', got {asked!r}; write 32."
        )
    return int(asked)
