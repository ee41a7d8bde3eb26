"""What a merge is: method, inputs and output, checked before a weight is read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from espnet_merge.checkpoint import Adapter, Checkpoint, Format
from espnet_merge.checkpoint.agree import (
    check_base_of,
    check_distinct,
    check_moved,
    check_same_model,
)
from espnet_merge.checkpoint.dtypes import FLOATS
from espnet_merge.checkpoint.identity import expert_digest
from espnet_merge.checkpoint.output import Output, Plan, in_order
from espnet_merge.disk.atomic import check_output
from espnet_merge.errors import InputError
from espnet_merge.files import MERGE_YAML
from espnet_merge.methods import ByTensor, Method
from espnet_merge.methods._statistics import StatisticsMethod


@dataclass(frozen=True, kw_only=True)
class Merge:
    """A merge that has been checked as far as headers tell, and not yet begun.

    Args:
        method: What to do: one method for all tensors, or one for each.
        base: Checkpoint that all experts started from.
        experts: Fine-tuned checkpoints of the same model, or adapters of it.
        output: Directory to write; it appears only once complete.
        format: What to write there; the format of the base by default.
        dtype: Type of the result's floats: float32, float16 or bfloat16.
        compute_dtype: Type of the arithmetic: float32 or float64.
        overwrite: Whether an older merge in ``output`` may be replaced.
        notes: What the record says besides, such as where the parameters come from.

    Raises:
        InputError: the inputs do not belong together, or the output is taken.
    """

    method: Method | ByTensor
    base: Checkpoint
    experts: Sequence[Checkpoint | Adapter]
    output: Path
    format: Format | None = None
    dtype: str = "float32"
    compute_dtype: str = "float32"
    overwrite: bool = False
    notes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check everything that does not need the weights."""
        for checkpoint in (self.base, *self.experts):
            if self.output.resolve() in _directories(checkpoint):
                raise InputError(
                    f"{self.output}: output and input are one directory; give another"
                    " --output."
                )
        check_same_model(self.base, self.experts)
        names = list(self.base.floats)
        self.by_tensor.check_names(names)
        for on_statistics in self._on_statistics:
            on_statistics.check_names(names)
        for method in self.methods:
            method.check_experts(len(self.experts))
        _ = self.written
        check_output(self.output, overwrite=self.overwrite, mark=MERGE_YAML)

    @cached_property
    def by_tensor(self) -> ByTensor:
        """The method of each tensor."""
        if isinstance(self.method, ByTensor):
            return self.method
        return ByTensor.same(self.method)

    @property
    def kind(self) -> type[Method]:
        """Class of the methods, as the table of methods has it."""
        return self.by_tensor.kind

    def at(self, name: str) -> Method:
        """Return the method, with its parameters, for the tensor ``name``."""
        return self.by_tensor.at(name)

    @cached_property
    def methods(self) -> list[Method]:
        """The distinct methods of all tensors that are merged."""
        return list(dict.fromkeys(map(self.at, self.base.floats)))

    @property
    def calibrated(self) -> bool:
        """Whether a step after the merge changes singular values."""
        return any(method.has_step for method in self.methods)

    @property
    def decomposes(self) -> bool:
        """Whether matrices are decomposed: by scipy on the CPU, by torch elsewhere."""
        return self.kind.factored or self.calibrated

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that the methods read in addition to the checkpoints."""
        return tuple(dict.fromkeys(f for x in self._on_statistics for f in x.files))

    @property
    def _on_statistics(self) -> list[StatisticsMethod]:
        plain = [method.plain for method in self.methods]
        return [x for x in plain if isinstance(x, StatisticsMethod)]

    @property
    def written(self) -> Output:
        """The format of the result and what it takes from the inputs."""
        models = [x for x in (self.base, *self.experts) if isinstance(x, Checkpoint)]
        return Output(self.format or self.base.format, models)

    @property
    def plan(self) -> Plan:
        """Header type and shape of every tensor of the result, widest types first."""
        float_type = FLOATS[self.dtype]
        return in_order(
            {
                name: (float_type if entry.is_float else entry.dtype, entry.shape)
                for name, entry in self.base.entries.items()
            }
        )

    def check_weights(self) -> None:
        """Check what the headers do not tell: that experts differ from their base."""
        for expert in self.experts:
            check_moved(self.base, expert)
            if isinstance(expert, Adapter):
                check_base_of(self.base, expert)
        check_distinct(self.experts)
        self.check_statistics()

    def check_statistics(self) -> None:
        """Check that statistics, where the method needs any, are of these experts."""
        if self._on_statistics:
            trained = [expert_digest(self.base, expert) for expert in self.experts]
            for method in self._on_statistics:
                method.check_digests(trained)


def _directories(checkpoint: Checkpoint | Adapter) -> set[Path]:
    """Return the input, and the directory that holds it where it is a file."""
    path = checkpoint.path.resolve()
    return {path, path.parent} if path.is_file() else {path}
