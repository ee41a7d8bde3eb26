"""ESPnet's Trainer with checks before the first step and whole checkpoints.

ESPnet overwrites ``checkpoint.pth`` and then writes ``<epoch>epoch.pth``. A job that is
killed meanwhile would leave a damaged file, or an epoch without its model. Here the
last whole checkpoint is kept while an epoch runs, and the files are repaired before a
run resumes. A run that a signal ends is saved within its epoch, too.
"""

import dataclasses
import functools
import logging
import pickle
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from espnet2.iterators.abs_iter_factory import AbsIterFactory
from espnet2.torch_utils.device_funcs import to_device
from espnet2.train.reporter import Reporter
from espnet2.train.trainer import Trainer
from torch import Tensor, nn

from espnet_merge.checkpoint.torch_read import read_torch
from espnet_merge.disk.atomic import whole_file
from espnet_merge.errors import InputError
from espnet_merge.lora.guards import check_adapter_acts, check_gradients, frozen_digest
from espnet_merge.tasks.accumulate import Batch, Groups
from espnet_merge.tasks.step_checkpoint import StepCheckpoint

CHECKPOINT = "checkpoint.pth"  # ESPnet's
LAST = "checkpoint.last.pth"  # the last whole one, kept while an epoch runs


class WhisperTrainer(Trainer):  # type: ignore[misc]
    """Trainer that logs labels, checks what is trained, and survives ``kill -9``.

    Attributes:
        step: what a signal saves. ESPnet's trainers have no instances.
    """

    step: ClassVar[StepCheckpoint]

    @classmethod
    def run(cls, **kwargs: Any) -> None:  # noqa: ANN401 - passed on to ESPnet
        """Check, train as ESPnet does, check again.

        Raises:
            InputError: a trainable tensor gets no gradient, the frozen base changed,
                or the trained adapter has no effect.
        """
        model, options = kwargs["model"], kwargs["trainer_options"]
        output = Path(options.output_dir)
        if kwargs["distributed_option"].dist_rank in (None, 0):
            mend_checkpoint(output)
        batches = cls.first_batches(kwargs["train_iter_factory"], options.ngpu)
        show_labels(model.tokenizer, batches)
        logging.info(f"trainable: {trainable(model)}")
        check_gradients(model, [batch for _, batch in batches])
        before = frozen_digest(model)
        cls.step = StepCheckpoint(
            output,
            model,
            kwargs["optimizers"],
            kwargs["schedulers"],
            distributed=kwargs["distributed_option"].distributed,
            device=_device(options),
        )
        with cls.step.listening():
            super().run(**kwargs)
        (output / LAST).unlink(missing_ok=True)
        cls.step.remove()
        if frozen_digest(model) != before:
            raise InputError(
                "the frozen base must not change in training; it did, so that the "
                "adapter fits no base: do not use it, and report the defect."
            )
        if model.has_adapter:
            check_adapter_acts(model, batches[0][1])

    @classmethod
    def first_batches(cls, factory: AbsIterFactory, ngpu: int) -> list[Batch]:
        """Return batches that together give every trainable tensor a gradient."""
        batch = next(iter(factory.build_iter(1)))
        return [to_device(batch, "cuda" if ngpu > 0 else "cpu")]

    @classmethod
    def train_one_epoch(
        cls,
        model: nn.Module,
        iterator: Any,  # noqa: ANN401 - a DataLoader
        *,
        options: Any,  # noqa: ANN401 - ESPnet's TrainerOptions
        distributed_option: Any,  # noqa: ANN401 - ESPnet's DistributedOption
        **kwargs: Any,  # noqa: ANN401
    ) -> bool:
        """Rename the whole checkpoint to ``LAST``, then train as ESPnet does.

        An epoch that a signal has ended goes on after its last batch.

        With ``accum_grad`` all tokens of a step have the same weight, and the batches
        that are left at the end of an epoch make a step of their own.
        """
        checkpoint = Path(options.output_dir) / CHECKPOINT
        if distributed_option.dist_rank in (None, 0) and checkpoint.exists():
            checkpoint.replace(checkpoint.with_name(LAST))
        left = cls.step.begin(
            iterator, kwargs["reporter"], kwargs["scaler"], resume=options.resume
        )
        resumed = left is not iterator
        train = functools.partial(
            super().train_one_epoch,
            model=model,
            distributed_option=distributed_option,
            **kwargs,
        )
        if options.accum_grad == 1:
            watched = cls.step.watch(left, every=1)
            return bool(train(iterator=watched, options=options)) and not resumed
        plain: Any = model
        device = None
        if distributed_option.distributed:
            plain, device = plain.module, _device(options)
        groups = Groups(left, options.accum_grad, plain.weigh, device)
        watched = cls.step.watch(groups, every=options.accum_grad)
        stopped = bool(train(iterator=watched, options=options)) and not resumed
        if groups.rest:
            last = dataclasses.replace(options, accum_grad=len(groups.rest))
            stopped &= bool(train(iterator=groups.rest, options=last))
            cls.step.done += len(groups.rest)
        return stopped

    @classmethod
    def validate_one_epoch(cls, iterator: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Validate as ESPnet does; a signal saves what was trained before."""
        super().validate_one_epoch(iterator=cls.step.watch(iterator), **kwargs)


def mend_checkpoint(directory: Path) -> None:
    """Restore a whole checkpoint with its epoch's model, or remove a damaged one.

    Raises:
        InputError: a file asks to run code, as none that a training wrote does.
    """
    checkpoint = directory / CHECKPOINT
    last = directory / LAST
    if not _is_whole(checkpoint):
        checkpoint.unlink(missing_ok=True)
        if not _is_whole(last):
            return
        last.replace(checkpoint)
        logging.info("The last run was cut; resuming from its last whole checkpoint")
    states = _states_in(checkpoint)
    reporter = Reporter()
    reporter.load_state_dict(states["reporter"])
    epoch = directory / f"{reporter.get_epoch()}epoch.pth"
    if not _is_whole(epoch):
        with whole_file(epoch) as part:
            torch.save(states["model"], part)
    for model in directory.glob("*epoch.pth"):  # ESPnet averages them
        read_torch(model)


def _states_in(checkpoint: Path) -> dict[str, Any]:
    try:
        states: dict[str, Any] = torch.load(
            checkpoint, map_location="cpu", weights_only=True, mmap=True
        )
    except pickle.UnpicklingError:
        read_torch(checkpoint)  # says in a line what the file asks for
        raise
    return states


def show_labels(
    tokenizer: Any,  # noqa: ANN401
    batches: Sequence[Batch],
    count: int = 5,
) -> None:
    """Log the labels of the first utterances, with prompt and end token."""
    for names, batch in batches:
        for uid, ids in list(zip(names, batch["text"], strict=True))[:count]:
            logging.info(f"label of {uid}: {label_text(tokenizer, ids)}")


def _device(options: Any) -> str:  # noqa: ANN401 - ESPnet's TrainerOptions
    return "cuda" if options.ngpu > 0 else "cpu"


def label_text(
    tokenizer: Any,  # noqa: ANN401
    ids: Tensor,
) -> str:
    """Return a label as text, with its special tokens and without padding."""
    text: str = tokenizer.decode(ids[ids >= 0].tolist(), decode_with_timestamps=True)
    return text


def trainable(model: nn.Module) -> str:
    """Return how many of the weights are trained."""
    total = sum(p.numel() for p in model.parameters())
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return f"{trained:,} of {total:,} weights ({trained / total:.2%})"


def _is_whole(path: Path) -> bool:
    # torch.save writes a zip archive, whose table of contents is at its end.
    return path.is_file() and zipfile.is_zipfile(path)
