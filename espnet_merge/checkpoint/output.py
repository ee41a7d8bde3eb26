"""Write a model in one of the formats, with the files that belong to it."""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from espnet_merge.checkpoint.dtypes import FLOATS, check_overflow, itemsize, to_stored
from espnet_merge.checkpoint.hf import Writer, write_config
from espnet_merge.checkpoint.names import ESPNET_WHISPER, OPENAI
from espnet_merge.checkpoint.openai import dims_of
from espnet_merge.checkpoint.opened import Checkpoint, Format
from espnet_merge.checkpoint.side_files import borrowed
from espnet_merge.checkpoint.torch_write import FILES, TorchWriter
from espnet_merge.errors import InputError
from espnet_merge.files import CONFIG_YAML

if TYPE_CHECKING:
    from numpy.typing import NDArray

type Plan = Mapping[str, tuple[str, tuple[int, ...]]]


def in_order(plan: Plan) -> Plan:
    """Return the tensors in the order in which a result holds them."""
    # The widest first keeps every tensor aligned to its own size.
    return dict(sorted(plan.items(), key=lambda kv: (-itemsize(kv[1][0]), kv[0])))


class TensorWriter(AbstractContextManager["TensorWriter"], Protocol):
    """Writes tensors in the order of its plan; complete once the context is left."""

    total: int

    def begin(self, name: str) -> None:
        """Go on to the tensor ``name``, the next of the plan."""

    def put(self, bits: "NDArray[Any]") -> None:
        """Write stored bits of the tensor that was begun."""


@dataclass(frozen=True)
class Output:
    """The format of a result, and the input that lends it what is not weights.

    Args:
        format: What to write.
        models: The base, then the experts that are models. The first of the same
            format lends configuration and tokenizer.

    Raises:
        InputError: the format needs such an input and there is none.
    """

    format: Format
    models: Sequence[Checkpoint]

    def __post_init__(self) -> None:
        """Check that the directory can be made complete."""
        if self.format == "hf" and self.template is None:
            raise InputError(
                "--format hf needs config.json and tokenizer, and no input is a Hugging"
                " Face directory; make one with 'espnet-merge fetch' and use it as"
                " --base."
            )
        if self.format == "openai":
            self._dims()

    @property
    def template(self) -> Checkpoint | None:
        """The first input of the format that is written."""
        same = (model for model in self.models if model.format == self.format)
        return next(same, None)

    def writer(
        self, directory: Path, plan: Plan, max_shard: int | None = None
    ) -> TensorWriter:
        """Return what writes the tensors of ``plan`` into ``directory``."""
        if self.format == "hf":
            return Writer(directory, plan, *([max_shard] if max_shard else []))
        path = directory / FILES[self.format]
        if self.format == "openai":
            return TorchWriter(path, plan, OPENAI, dims=self._dims())
        if self.template is None:
            return TorchWriter(path, plan, ESPNET_WHISPER)
        return TorchWriter(path, plan, self.template.naming, self.template.copies)

    @property
    def side_files(self) -> list[Path]:
        """What is copied of the inputs, because a model needs it beside its weights."""
        same = [model.path for model in self.models if model.format == self.format]
        if self.format == "hf":
            return borrowed(same)
        config = [path.parent / CONFIG_YAML for path in same[:1]]
        return [file for file in config if self.format == "espnet" and file.is_file()]

    def copy_side_files(self, directory: Path, dtype: str) -> None:
        """Copy what a model needs except weights."""
        for file in self.side_files:
            shutil.copyfile(file, directory / file.name)
        if self.format == "hf" and self.template:
            write_config(self.template.config, directory, dtype)

    def _dims(self) -> dict[str, int]:
        config: dict[str, Any] = {}
        for model in reversed(self.models):
            config |= model.config
        base = self.models[0]
        shapes = {name: entry.shape for name, entry in base.entries.items()}
        for name in shapes:
            OPENAI.write(name)
        return dims_of(shapes, config, base.path)


def copy_weights(
    model: Checkpoint, output: Output, directory: Path, dtype: str | None = None
) -> None:
    """Write all tensors of ``model``.

    Args:
        model: Where they come from.
        output: The format to write.
        directory: Where to write; it exists.
        dtype: Type of the floats, such as float16; None keeps each as it is stored.

    Raises:
        InputError: a value does not fit the type.
    """
    kind = dtype and FLOATS[dtype]
    plan = in_order(
        {
            name: (kind if kind and entry.is_float else entry.dtype, entry.shape)
            for name, entry in model.entries.items()
        }
    )
    with output.writer(directory, plan) as writer:
        for name, (stored, _) in plan.items():
            writer.begin(name)
            if stored == model.entries[name].dtype:
                writer.put(model.stored(name))
            else:
                values = model.read(name)
                check_overflow(name, values, stored)
                writer.put(to_stored(values, stored))


def dtype_of(model: Checkpoint) -> str:
    """Return the name of the type of the first float, such as float16."""
    first = next(iter(model.floats.values())).dtype
    return next(name for name, kind in FLOATS.items() if kind == first)
