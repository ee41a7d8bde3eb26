"""A training's costliest step, before the training: what it learns and takes."""

import argparse
import contextlib
import gc
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import torch
from espnet2.torch_utils.device_funcs import to_device
from espnet2.train.distributed_utils import DistributedOption
from espnet2.train.trainer import autocast_args
from torch import nn

from espnet_merge.errors import InputError
from espnet_merge.files import UTT2LANG, UTT2TASK, WAV_SCP
from espnet_merge.lora.guards import check_gradients
from espnet_merge.tasks.model import WhisperModel
from espnet_merge.tasks.sources import find_models
from espnet_merge.tasks.trainer import label_text, trainable
from espnet_merge.tasks.whisper import WhisperTask
from espnet_merge.whisper.features import frames_of

SHAPES = "speech_shape"  # as ESPnet names it in exp/stats


@dataclass(frozen=True)
class Rehearsal:
    """What a training would do.

    Attributes:
        labels: of a few utterances: name -> text with special tokens.
        trained: how many of the weights are trained, in words.
        weights: number of all weights.
        learnt: number of those that are trained.
        utterances: in the longest batch.
        frames: of each of them, 100 a second.
        seconds: of a step with it, the optimizer's included.
        epoch: seconds of an epoch, if all batches cost as much by frame, with padding.
        peak: bytes of memory at most: of the GPU, or of this process.
        room: bytes of memory that there are: of the GPU, or of this machine.
        on_gpu: whether it was run on a GPU.
        kept: models of epochs that stay on disk.
    """

    labels: Mapping[str, str]
    trained: str
    weights: int
    learnt: int
    utterances: int
    frames: int
    seconds: float
    epoch: float
    peak: int
    room: int
    on_gpu: bool
    kept: int


def rehearse(
    words: Sequence[str], data: Path, lengths: Mapping[str, int], shown: int = 5
) -> Rehearsal:
    """Show labels, then run the longest batch forward and backward, and step.

    Args:
        words: options of ``whisper_train`` but those of data and output.
        data: Kaldi data directory of the training set, with ``utt2task``; a file of
            shapes is written into it.
        lengths: samples of each utterance.
        shown: number of labels.

    Raises:
        InputError: an option is bad, a trained tensor gets no gradient, the loss is not
            finite, or memory does not suffice.
    """
    args = _options([*words, *_data_words(data)])
    shapes = {n: frames_of(x, args.pad_to, args.tail) for n, x in lengths.items()}
    (data / SHAPES).write_text("".join(f"{n} {f},80\n" for n, f in shapes.items()))
    options = WhisperTask.build_iter_options(args, DistributedOption(), "train")
    factory = WhisperTask.build_sequence_iter_factory(args, options, "train")
    names = sorted(lengths)
    few = [names[at * len(names) // shown] for at in range(min(shown, len(names)))]
    tokenizer = options.preprocess_fn.tokenizer
    labels = {
        name: label_text(tokenizer, torch.as_tensor(factory.dataset[name][1]["text"]))
        for name in few
    }
    batches = map(tuple, factory.sampler)
    cost = {one: len(one) * max(shapes[n] for n in one) for one in batches}
    longest = max(cost, key=cost.__getitem__)
    batch = options.collate_fn([factory.dataset[name] for name in longest])[1]
    device = "cuda" if args.ngpu > 0 else "cpu"
    _forget_peak(device)
    model = WhisperTask.build_model(args).to(device, getattr(torch, args.train_dtype))
    _freeze(model, args.freeze_param)
    [optimizer] = WhisperTask.build_optimizers(args, model)
    seconds = _step(model, optimizer, to_device(batch, device), amp=args.use_amp)
    peak, room = _memory(device)
    kept = args.keep_nbest_models  # of several criteria a list
    return Rehearsal(
        labels=labels,
        trained=trainable(model),
        weights=sum(p.numel() for p in model.parameters()),
        learnt=sum(p.numel() for p in model.parameters() if p.requires_grad),
        utterances=len(longest),
        frames=max(shapes[name] for name in longest),
        seconds=seconds,
        epoch=seconds * sum(cost.values()) / cost[longest],
        peak=peak,
        room=room,
        on_gpu=device == "cuda",
        kept=max(kept) if isinstance(kept, list) else kept,
    )


def _options(words: Sequence[str]) -> argparse.Namespace:
    """Return the options of a training, its models found."""
    parser = WhisperTask.get_parser()
    parser.error = _refuse
    args: argparse.Namespace = parser.parse_args(words)
    if args.use_wandb and not find_spec("wandb"):
        raise InputError(
            "use_wandb needs the package wandb; it is not installed: pip install "
            "wandb, or drop the option."
        )
    find_models(args)
    return args


def _refuse(message: str) -> NoReturn:
    raise InputError(f"options of training: {message}; see whisper_train --help.")


def _data_words(data: Path) -> list[str]:
    words = ["--output_dir", str(data), "--train_shape_file", str(data / SHAPES)]
    for file, name, kind in (
        (WAV_SCP, "speech", "sound"),
        ("text", "text", "text"),
        (UTT2LANG, "lang", "text"),
        (UTT2TASK, "task", "text"),
    ):
        words += ["--train_data_path_and_name_and_type", f"{data / file},{name},{kind}"]
    return words


def _freeze(model: nn.Module, frozen: Sequence[str]) -> None:
    for name, parameter in model.named_parameters():
        if any(name == part or name.startswith(f"{part}.") for part in frozen):
            parameter.requires_grad_(False)


def _step(
    model: WhisperModel,
    optimizer: torch.optim.Optimizer,
    batch: Mapping[str, torch.Tensor],
    *,
    amp: bool,
) -> float:
    """Return the seconds of a step, which is run after the gradients were checked."""
    mixed = torch.autocast("cuda", **autocast_args) if amp else contextlib.nullcontext()
    try:
        with mixed:
            check_gradients(model, [batch])
        start = time.monotonic()
        with mixed:
            loss = model(**batch)[0]
        loss.backward()
        optimizer.step()
        if loss.is_cuda:
            torch.cuda.synchronize()
    except torch.OutOfMemoryError as error:
        raise InputError(
            "the longest batch must fit into the GPU's memory; it does not: lower "
            "batch_size or batch_bins and raise accum_grad, or set "
            "gradient_checkpointing true."
        ) from error
    return time.monotonic() - start


def _forget_peak(device: str) -> None:
    """Count the peak of memory anew, from what is in use."""
    gc.collect()  # a model before it, which holds itself
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    else:
        Path("/proc/self/clear_refs").write_text("5")


def _memory(device: str) -> tuple[int, int]:
    """Return the bytes that were taken at most, and those that there are."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated(), torch.cuda.mem_get_info()[1]
    status = Path("/proc/self/status").read_text()
    [peak] = re.findall(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return 1024 * int(peak), os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
