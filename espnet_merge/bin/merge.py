r"""Merge expert checkpoints into one.

Base and experts are Hugging Face directories, OpenAI's .pt or ESPnet's .pth, experts
also LoRA adapters; formats may be mixed where they describe the same model.

For example:
  espnet-merge merge --method tsv_m --base exp/base \
    --experts exp/full_es/model exp/full_it/model \
    --output exp/tsv_m/model --set scale=1

'espnet-merge methods' lists the methods and their parameters.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from espnet_merge.bin._merging import Inputs
from espnet_merge.options import AnyPath, Option, function

if TYPE_CHECKING:
    from espnet_merge.merging.planned import Merged, PlannedMerge


@dataclass(frozen=True, kw_only=True)
class Command(Inputs):
    """Merge expert checkpoints into one.

    Tensors stream from file to file, one at a time; a result is written whole or not at
    all. ``params`` are the method's, by name; ``em.METHODS`` lists them.

    Returns:
        Where the result is, and its ``record``; of a dry run the plan, with the
        ``memory`` in bytes and the ``seconds`` that the merge will need, roughly.

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
        Option("what to do; see 'espnet-merge methods'", metavar="NAME"),
    ] = None
    config: Annotated[
        AnyPath | None,
        Option("YAML with 'method' and 'params'", metavar="FILE"),
    ] = None
    output: Annotated[AnyPath, Option("directory to write", metavar="DIR")]
    output_adapter: Annotated[
        int | str | None,
        Option(
            "merge adapters into an adapter of this rank; 'exact' takes the sum of"
            " their ranks and loses nothing (sums, and methods that merge factors)",
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

    def plan(self) -> "PlannedMerge":
        """Return the merge, checked as far as headers tell."""
        from espnet_merge.job_array import parse_shard
        from espnet_merge.merging.config import method_and_params
        from espnet_merge.merging.merge import Merge
        from espnet_merge.merging.planned import PlannedMerge
        from espnet_merge.methods import build_method

        config = Path(self.config) if self.config else None
        name, params = method_and_params(self.method, config, self.parameters)
        inputs = self.opened()
        return PlannedMerge(
            merge=Merge(
                method=build_method(name, params), output=Path(self.output), **inputs
            ),
            jobs=self.jobs,
            device=self.device,
            adapter_rank=self.output_adapter or None,
            shard=parse_shard(self.shard) if self.shard else None,
        )

    def __call__(self) -> "Merged | PlannedMerge":
        """Merge; return the plan of a dry run."""
        plan = self.plan()
        if not self.dry_run:
            return plan.run()
        plan.warn_of_result()
        return plan


merge = function(Command, "merge")


def main(command: Command) -> None:
    """Print the plan, merge, and print what is to be said of the result."""
    plan = command.plan()
    print(plan)
    if command.dry_run:
        plan.warn_of_result()
    elif note := plan.run().note:
        print(note)
