"""ESPnet's Trainer on several objectives: the loop is ESPnet's, gradients are ours."""

import dataclasses
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from espnet2.iterators.abs_iter_factory import AbsIterFactory
from espnet2.torch_utils.device_funcs import to_device
from torch import Tensor, nn

from espnet_merge.files import CONFLICT_PNG
from espnet_merge.objectives.conf import BEST_RQ
from espnet_merge.objectives.gradients import sum_over_processes
from espnet_merge.objectives.history import add_epoch, draw_history
from espnet_merge.objectives.step import Batch, ObjectivesStep
from espnet_merge.tasks.trainer import WhisperTrainer

SAMPLE = 200_000  # frames (33 minutes, 64 MB) that BEST-RQ is measured on


class ObjectivesTrainer(WhisperTrainer):
    """Trainer whose steps follow the common direction of the objectives.

    ESPnet's loop runs unchanged, with ``ObjectivesStep`` in place of the model. ESPnet
    clips, steps, schedules, counts and logs. Gradients accumulate inside a step.
    """

    @classmethod
    def run(cls, **kwargs: Any) -> None:  # noqa: ANN401 - passed on to ESPnet
        """Measure the mean and deviation that BEST-RQ normalises by, then train.

        A resumed run loads them from its checkpoint.
        """
        model, distributed = kwargs["model"], kwargs["distributed_option"].distributed

        def total(value: Tensor) -> Tensor:
            if distributed:
                sum_over_processes([value])
            return value

        if hasattr(model.objectives, BEST_RQ):
            sample = kwargs["train_iter_factory"].sample(BEST_RQ, SAMPLE)
            summary = model.objectives.best_rq.measure(sample, total)
            logging.info(f"labels of {BEST_RQ}: {summary}")
        super().run(**kwargs)

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
        """Train an epoch, then record which layers conflicted."""
        # The wrapper of distributed training would average the gradients of each pass.
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
        try:
            return super().train_one_epoch(
                model=step,
                iterator=iterator,
                options=dataclasses.replace(options, accum_grad=1),
                distributed_option=distributed_option,
                **kwargs,
            )
        finally:  # also when a signal ends the epoch
            if distributed_option.dist_rank in (None, 0) and step.measured:
                output = Path(options.output_dir)
                history = add_epoch(output / "conflict.tsv", epoch, step.measured)
                draw_history(history, output / CONFLICT_PNG)

    @classmethod
    def first_batches(cls, factory: AbsIterFactory, ngpu: int) -> list[Batch]:
        """Return a batch of each objective."""
        _, step = next(iter(factory.build_iter(1)))
        batches = [objective[0][0] for objective in step["batches"]]
        return to_device(batches, "cuda" if ngpu > 0 else "cpu")  # type: ignore[no-any-return]
