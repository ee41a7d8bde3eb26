r"""Merge expert checkpoints into one.

Base and experts are Hugging Face directories, OpenAI's .pt or ESPnet's .pth; experts
may also be LoRA adapters. Formats may be mixed if they describe the same model.
--config reads method, parameters, base and experts from YAML: ours, mergekit's, or a
merge.yaml. Options on the command line override it.

For example:
  espnet-merge merge --method tsv_m --base exp/base \
    --experts exp/full_es/model exp/full_it/model \
    --output exp/tsv_m/model --set scale=1

'espnet-merge methods' lists the methods and their parameters.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from espnet_merge.bin._merging import BASE, EXPERTS, Result
from espnet_merge.errors import InputError
from espnet_merge.options import AnyPath, Option, declared, function

if TYPE_CHECKING:
    from espnet_merge.merging.planned import Merged, PlannedMerge


@dataclass(frozen=True, kw_only=True)
class Command(Result):
    """Merge expert checkpoints into one.

    One tensor at a time is read, merged and written; a result is written completely or
    not at all. ``params`` are parameters of the method; ``em.METHODS`` lists them.

    Returns:
        The directory of the result, and its ``record``. A dry run returns the plan,
        with the estimated ``memory`` in bytes and ``seconds`` of the merge.

    Raises:
        InputError: the inputs do not belong together, or an option has a bad value.

    Example:
        >>> import espnet_merge as em
        >>> merged = em.merge(
        ...     method="task_arithmetic",
        ...     base="exp/base",
        ...     experts=["exp/full_es/model", "exp/full_it/model"],
        ...     output="exp/sum/model",
        ...     params={"scale": 0.3},
        ... )
        >>> merged
        TaskArithmetic(scale=0.3, weights=None) of 2 experts -> exp/sum/model
        >>> merged.record["params"]
        {'scale': 0.3, 'weights': None}
    """

    method: Annotated[
        str | None,
        Option("merge method; see 'espnet-merge methods'", metavar="NAME"),
    ] = None
    config: Annotated[
        AnyPath | None,
        Option(
            "YAML with 'method' and 'params', mergekit's, or a merge.yaml; it may name"
            " base and experts",
            metavar="FILE",
        ),
    ] = None
    base: Annotated[AnyPath | None, BASE] = None
    experts: Annotated[Sequence[AnyPath] | None, EXPERTS] = None
    output: Annotated[AnyPath, Option("directory to write", metavar="DIR")]
    output_adapter: Annotated[
        int | str | None,
        Option(
            "merge adapters into an adapter of this rank; 'exact': the sum of their"
            " ranks, without loss (only for sums, and methods that merge factors)",
            metavar="RANK",
        ),
    ] = None
    shard: Annotated[
        str | None,
        Option(
            "write part I of N, for job arrays; 'espnet-merge join' joins them",
            metavar="I/N",
        ),
    ] = None
    dry_run: Annotated[bool, Option("check the headers and print the plan")] = False

    @classmethod
    def completed(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what is given, and what the file ``config`` says besides."""
        from espnet_merge.merging.config import with_config

        return with_config(given)

    def plan(self) -> "PlannedMerge":
        """Return the merge, after all checks that need only headers."""
        from espnet_merge.job_array import parse_shard
        from espnet_merge.merging.merge import Merge
        from espnet_merge.merging.planned import PlannedMerge
        from espnet_merge.methods import build_method

        method, base, experts = self._needed("method", "base", "experts")
        return PlannedMerge(
            merge=Merge(
                method=build_method(method, self.parameters),
                output=Path(self.output),
                **self.inputs(base, experts),
            ),
            jobs=self.jobs,
            device=self.device,
            adapter_rank=self.output_adapter or None,
            shard=parse_shard(self.shard) if self.shard else None,
        )

    def _needed(self, *names: str) -> Iterator[Any]:
        """Yield options that the command line or the file must give."""
        for name in names:
            if not (value := getattr(self, name)):
                what = declared(type(self))[name].option.help
                raise InputError(
                    f"--{name} is missing: {what}; give it, or a --config with it."
                )
            yield value

    def __call__(self) -> "Merged | PlannedMerge":
        """Merge and return the result, or return the plan of a dry run."""
        plan = self.plan()
        if not self.dry_run:
            return plan.run()
        plan.warn_of_result()
        return plan


merge = function(Command, "merge")


def main(command: Command) -> None:
    """Print the plan, merge, and print the note on the result if there is one."""
    plan = command.plan()
    print(plan)
    if command.dry_run:
        plan.warn_of_result()
    elif note := plan.run().note:
        print(note)
