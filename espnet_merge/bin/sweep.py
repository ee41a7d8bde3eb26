r"""Merge the same experts with many settings in one pass over them.

Each result is a directory below --output, with the same bytes as a single merge. Inputs
are read once, and methods share the decompositions of a matrix.

For example:
  espnet-merge sweep --base exp/base --experts exp/full_es/model exp/full_it/model \
    --output exp/sweep --config conf/merge/boosted_tsv_m.yaml conf/merge/tsv_m.yaml \
    --grid scale=0.5,1,1.5

writes exp/sweep/boosted_tsv_m-scale=0.5 and five more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from espnet_merge.bin._merging import Models, Result
from espnet_merge.errors import InputError
from espnet_merge.merging.config import read_grid
from espnet_merge.options import AnyPath, Option

if TYPE_CHECKING:
    from espnet_merge.merging.sweep import Sweep


@dataclass(frozen=True, kw_only=True)
class Command(Models, Result):
    """Merge the same experts with many settings in one pass over them."""

    method: Annotated[Sequence[str], Option("methods", metavar="NAME")] = ()
    config: Annotated[
        Sequence[AnyPath],
        Option(
            "YAML with 'method' and 'params', or mergekit's; the result is named after"
            " the file",
            metavar="FILE",
        ),
    ] = ()
    grid: Annotated[
        Mapping[str, Sequence[Any]],
        Option(
            "values of a parameter; all combinations with other parameters are merged",
            nargs="+",
            metavar="KEY=VALUE,VALUE",
            read=read_grid,
        ),
    ] = field(default_factory=dict)
    output: Annotated[
        AnyPath, Option("directory for the directories of results", metavar="DIR")
    ]

    def plan(self) -> "Sweep":
        """Return the merges, after all checks that need only headers."""
        from espnet_merge.merging.config import read_config
        from espnet_merge.merging.sweep import Sweep, merges_of

        starts = [self._start(read_config(Path(file)), file) for file in self.config]
        starts += [(name, name, {}) for name in self.method]
        if not starts:
            raise InputError("give at least one --method or --config.")
        output = Path(self.output)
        inputs = self.inputs(self.base, self.experts)
        merges = merges_of(starts, self.parameters, self.grid, output, **inputs)
        return Sweep(merges=merges, output=output, jobs=self.jobs, device=self.device)

    def _start(
        self, said: Mapping[str, Any], file: AnyPath
    ) -> tuple[str, str, dict[str, Any]]:
        """Return name, method and parameters of a file that asks for no other type."""
        for name in ("dtype", "compute_dtype"):
            if said.get(name, ours := getattr(self, name)) != ours:
                raise InputError(
                    f"{file}: {name} is {said[name]}, of the sweep {ours}; give"
                    f" --{name.replace('_', '-')} {said[name]}, or merge it alone."
                )
        return Path(file).stem, said["method"], said["params"]

    def __call__(self) -> list[Path]:
        """Merge with all settings, and return the directories of the results."""
        return self.plan().run()


def main(command: Command) -> None:
    """Print the plan, merge, and print the directories of the results."""
    plan = command.plan()
    print(plan)
    print(*plan.run(), sep="\n")
