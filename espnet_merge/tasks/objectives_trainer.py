"""ESPnet's Trainer on several objectives: its loop, our gradients."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from espnet2.iterators.abs_iter_factory import AbsIterFactory
from espnet2.torch_utils.device_funcs import to_device
from torch import nn

from espnet_merge.objectives.history import PICTURE, add_epoch, draw_history
from espnet_merge.objectives.step import Batch, ObjectivesStep
from espnet_merge.tasks.trainer import WhisperTrainer


class ObjectivesTrainer(WhisperTrainer):
    """Trainer whose steps follow the direction of the objectives.

    ESPnet's loop runs as it is, around ``ObjectivesStep`` in place of the model: it
    clips, steps, schedules, counts and logs. Gradients accumulate inside of a step.
    """

    @classmethod
    def train_one_epoch(
        cls,
        model: nn.Module,
        iterator: Iterable[Batch],
        *,
        options: Any,  # noqa: ANN401 - ESPnet's TrainerOptions
        distributed_option: Any,  # noqa: ANN401 - ESPnet's DistributedOption
        **kwargs: Any,  # noqa: ANN401
    ) -> bool:
        """Train an epoch, then note which layers conflicted."""
        # The wrapper of distributed training would average gradients of single passes.
        plain: Any = model.module if distributed_option.distributed else model
        epoch = kwargs["reporter"].get_epoch()
        step = ObjectivesStep(
            plain,
            plain.objectives,
            plain.conf,
            plain.shared_layers(),
            epoch=epoch,
            scaler=kwargs["scaler"],
            distributed=distributed_option.distributed,
        )
        stopped = super().train_one_epoch(
            model=step,
            iterator=iterator,
            options=dataclasses.replace(options, accum_grad=1),
            distributed_option=distributed_option,
            **kwargs,
        )
        if distributed_option.dist_rank in (None, 0) and step.measured:
            output = Path(options.output_dir)
            history = add_epoch(output / "conflict.tsv", epoch, step.measured)
            draw_history(history, output / PICTURE)
        return stopped

    @classmethod
    def first_batches(cls, factory: AbsIterFactory, ngpu: int) -> list[Batch]:
        """Return a batch of each objective."""
        _, step = next(iter(factory.build_iter(1)))
        batches = [objective[0][0] for objective in step["batches"]]
        return to_device(batches, "cuda" if ngpu > 0 else "cpu")  # type: ignore[no-any-return]
