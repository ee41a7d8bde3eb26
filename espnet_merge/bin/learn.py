r"""Learn the weights of experts, layer by layer, by gradient on development data.

The merge is the base and a weighted sum of task vectors. Each step takes some
utterances of each set, and Adam changes the weights by the gradient of their loss, or
of the entropy of what the decoder predicts, which needs no references (AdaMerging).
--output gets learned.json with curve and weights, learned.png, and model, the merge.

Memory: that of training the model without an optimiser, which is twice its weights and
what one pass keeps. --decode-config with 'batch_size: 1' needs least.

For example:
  espnet-merge learn --base exp/base \
    --experts exp/full_es/model exp/full_it/model \
    --data dump/raw/es_valid dump/raw/it_valid --output exp/learned
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from espnet_merge.bin._developing import Development
from espnet_merge.bin._merging import Stored
from espnet_merge.options import AnyPath, Option, function, part
from espnet_merge.search.learn_settings import LearnSettings

if TYPE_CHECKING:
    from espnet_merge.search.found import Learned


@dataclass(frozen=True, kw_only=True)
class Command(Development, Stored, LearnSettings):
    """Learn the weights of experts by gradient on development data, and merge.

    The method of the merge is ``task_arithmetic``, with weights for each group of
    tensors; it can be replayed as any other.

    Returns:
        What was learned: its ``model``, and the ``content`` of ``learned.json``, with
        ``curve`` and ``weights``.

    Raises:
        InputError: inputs do not belong together, a set is of training or test data, an
            option has a bad value, or ``output`` holds another merge.

    Example:
        >>> import espnet_merge as em
        >>> learned = em.learn(
        ...     base="exp/base",
        ...     experts=["exp/full_es/model", "exp/full_it/model"],
        ...     data=["dump/raw/es_valid"],
        ...     groups="model",
        ...     steps=2,
        ...     output="exp/learned",
        ... )
        >>> len(learned.content["curve"]), learned.model
        (2, PosixPath('exp/learned/model'))
    """

    output: Annotated[AnyPath, Option("directory to write", metavar="DIR")]

    def __call__(self) -> "Learned":
        """Learn, and write what was learned."""
        decoding = self.decoding(self.device)

        from espnet_merge.disk.cache import default_cache
        from espnet_merge.search.development import check_development
        from espnet_merge.search.learn import Learning
        from espnet_merge.whisper.converted import as_directory

        data = [Path(path) for path in self.data]
        check_development(data, [Path(expert) for expert in self.experts])
        model = as_directory(Path(self.base), default_cache())
        return Learning(
            output=Path(self.output),
            shared=self.inputs(model, self.experts),
            data=data,
            model=model,
            decoding=decoding,
            settings=part(self, LearnSettings),
            jobs=self.jobs,
            device=self.device,
        ).run()


learn = function(Command, "learn")


def main(command: Command) -> None:
    """Learn, and print the weights."""
    print(command())
