"""Write a model in the format of another runtime, with the record of it."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from espnet_merge.disk.atomic import check_output, whole_directory
from espnet_merge.errors import InputError
from espnet_merge.export.bundle import serving
from espnet_merge.export.check import Checked, check, utterances_of
from espnet_merge.export.format import Format
from espnet_merge.export.formats import BUNDLE, format_of
from espnet_merge.export.record import write_record
from espnet_merge.export.source import folded, open_source
from espnet_merge.files import EXPORT_YAML


@dataclass(frozen=True, repr=False)
class Exported:
    """What was written.

    Attributes:
        directory: where it is.
        command: that serves it; of a bundle.
        checked: what its runtime made of ten utterances, if that was asked for.
    """

    directory: Path
    command: str | None = None
    checked: Checked | None = None

    def __repr__(self) -> str:
        """A line for each."""
        parts = (self.directory, self.command, self.checked)
        return "\n".join(str(part) for part in parts if part is not None)


def export_to(
    name: str | None,
    path: Path,
    output: Path,
    *,
    dtype: str | None = None,
    base: Path | None = None,
    adapters: Mapping[str, Path] | None = None,
    data: Path | None = None,
    overwrite: bool = False,
) -> Exported:
    """Write a model or an adapter in a format, and decode it there if asked to.

    Args:
        name: of the format; None: hf of a model, peft of an adapter.
        path: the model or adapter, in any format that is read.
        output: directory to write; it appears only when it is complete.
        dtype: of the weights; None takes the format's own.
        base: the model of an adapter that does not name it.
        adapters: name -> adapter, of a bundle.
        data: Kaldi data directory, of which ten utterances are decoded.
        overwrite: replace an earlier export.

    Raises:
        InputError: the input is bad, a package is missing, or ``output`` exists.
    """
    check_output(output, overwrite=overwrite, mark=EXPORT_YAML)
    with open_source(path, base, adapters or {}) as source:
        name = name or ("peft" if source.adapters else "hf")
        kind = format_of(name)
        dtype = _dtype(kind, name, dtype)
        if kind.writer:
            kind.writer.check(f"--to {name}")
        utterances = []
        if data is not None:
            kind.runtime.check("--check")
            utterances = utterances_of(data, source.model)
        with (
            whole_directory(output, EXPORT_YAML, overwrite=overwrite) as part,
            folded(source) if kind.folded else nullcontext(source) as whole,
        ):
            kind.write(whole, part, dtype)
            write_record(part, path, source.given, {"to": name, "dtype": dtype})
        command = serving(output) if name == BUNDLE else None
        checked = check(kind, output, source, utterances) if utterances else None
        return Exported(output, command, checked)


def _dtype(kind: Format, name: str, dtype: str | None) -> str | None:
    """Return the type of the weights, which the format must know."""
    if dtype is None:
        return kind.dtypes[0]
    if dtype not in kind.dtypes:
        known = ", ".join(one for one in kind.dtypes if one)
        raise InputError(f"--to {name} knows --dtype {known}; got {dtype}.")
    return dtype
