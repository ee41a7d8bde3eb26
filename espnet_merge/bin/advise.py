r"""Say whether to merge experts, all or in groups, to route, or to train jointly.

In about two minutes: the experts are inspected, and base, experts (each on its own set)
and a quick merge decode samples of development data. A table of rules decides, and its
reason is told, with what each choice is expected to reach and what it costs. --output
gets advice.json, and the merge that is advised, for 'espnet-merge merge --config'.

--data names a development set for each expert, in their order.

For example:
  espnet-merge advise --base exp/base \
    --experts exp/full_es/model exp/full_it/model \
    --data dump/raw/es_valid dump/raw/it_valid --output exp/advice
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from espnet_merge.advice.settings import AdviceSettings
from espnet_merge.bin._developing import Development
from espnet_merge.bin._merging import Machine
from espnet_merge.errors import InputError
from espnet_merge.options import AnyPath, Option, function, part

if TYPE_CHECKING:
    from espnet_merge.advice.advice import Advice


@dataclass(frozen=True, kw_only=True)
class Command(Development, Machine, AdviceSettings):
    """Say whether to merge experts, all or in groups, to route, or to train jointly.

    Returns:
        The advice: its ``choice``, and the ``record`` with reasons, expected error
        rates and costs; printed, in words.

    Raises:
        InputError: inputs do not belong together, a set is of training or test data, an
            option has a bad value, or there is not a set for each expert.

    Example:
        >>> import espnet_merge as em
        >>> advice = em.advise(
        ...     base="exp/base",
        ...     experts=["exp/full_es/model", "exp/full_it/model"],
        ...     data=["dump/raw/es_news_valid", "dump/raw/es_tv_valid"],
        ...     utterances=1,
        ... )
        >>> sorted(choice["choice"] for choice in advice.record["choices"])
        ['keep the base', 'merge all', 'merge groups', 'route', 'train jointly']
    """

    output: Annotated[AnyPath | None, Option("directory to write", metavar="DIR")] = (
        None
    )
    overwrite: Annotated[bool, Option("replace older advice in --output")] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.data) != len(self.experts) or len(self.experts) < 2:
            raise InputError(
                "--data must name a set for each expert, in their order, of two or"
                f" more; got {len(self.data)} sets of {len(self.experts)} experts."
            )

    def __call__(self) -> "Advice":
        """Try, and advise; write if there is an ``output``."""
        settings = self.decoding(self.device)
        published = replace(self.decoding(self.device, [self.base]), hear=True)

        from espnet_merge.advice.question import Question
        from espnet_merge.search.development import check_development

        data = [Path(path) for path in self.data]
        experts = [Path(expert) for expert in self.experts]
        check_development(data, experts)
        return Question(
            base=Path(self.base),
            experts=experts,
            data=data,
            output=Path(self.output) if self.output else None,
            overwrite=self.overwrite,
            decoding=settings,
            base_decoding=published,
            settings=part(self, AdviceSettings),
            jobs=self.jobs,
        ).answer()


advise = function(Command, "advise")


def main(command: Command) -> None:
    """Try, and print the advice."""
    print(command())
    if command.output:
        print(f"\n{command.output}")
