#!/usr/bin/env python3
"""Time a training step: ESPnet's trainer, in bfloat16, and at 30 s, by a plain loop.

The same model, batches and optimiser, in turn in one process; medians over rounds.

    benchmarks/training.py --whisper egs2/prompts/merge1/exp/base \
        --data egs2/prompts/merge1/dump/raw/es_train
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import soundfile
import torch
from espnet2.train.collate_fn import CommonCollateFn
from espnet2.train.distributed_utils import DistributedOption
from espnet2.train.reporter import Reporter

from espnet_merge.tasks.step_checkpoint import StepCheckpoint
from espnet_merge.tasks.trainer import WhisperTrainer
from espnet_merge.tasks.whisper import (
    IGNORE,
    WhisperModel,
    WhisperPreprocessor,
    WhisperTask,
)
from espnet_merge.whisper.model import load_whisper
from espnet_merge.whisper.prompt import load_tokenizer

Batch = tuple[list[str], dict[str, torch.Tensor]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--whisper", type=Path, required=True)
    parser.add_argument(
        "--data", type=Path, required=True, help="with wav.scp and text"
    )
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--steps", type=int, default=3, help="steps in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--padded-rounds", type=int, default=2)
    args = parser.parse_args()

    short = batches(args, pad_to=0)
    network, tokenizer = load_whisper(args.whisper), load_tokenizer(args.whisper)
    model = WhisperModel(network, tokenizer)
    in_bfloat16 = WhisperModel(network, tokenizer, autocast="bfloat16")
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)
    ways: dict[str, Callable[[Sequence[Batch]], None]] = {
        "plain loop": lambda data: plain_loop(model, optimizer, data),
        "ESPnet trainer": lambda data: espnet_loop(model, optimizer, data),
        "in bfloat16": lambda data: espnet_loop(in_bfloat16, optimizer, data),
    }
    times: dict[str, list[float]] = {name: [] for name in [*ways, "padded to 30 s"]}
    for way in ways.values():  # warm up
        way(short[:1])
    for _ in range(args.rounds):
        for name, way in ways.items():
            times[name].append(seconds(way, short))
    long = batches(args, pad_to=30)
    for _ in range(args.padded_rounds):
        times["padded to 30 s"].append(
            seconds(ways["plain loop"], long[:1]) * len(long)
        )

    frames = [batch["speech"].shape[1] / 100 for _, batch in short]
    print(
        f"batches of {args.batch_size}, {min(frames):.1f} to {max(frames):.1f} s long"
    )
    medians = {name: statistics.median(value) for name, value in times.items()}
    plain = medians["plain loop"]
    for name, value in medians.items():
        spread = (
            f"{min(times[name]) / args.steps:.2f}-{max(times[name]) / args.steps:.2f}"
        )
        print(
            f"{name:16}{value / args.steps:8.2f} s/step ({spread})"
            f" {value / plain:6.2f}x"
        )


def batches(args: argparse.Namespace, pad_to: float) -> list[Batch]:
    """Collate the first utterances of the data directory, sorted by length."""
    preprocess = WhisperPreprocessor(args.whisper, pad_to=pad_to)
    texts = dict(line.split(" ", 1) for line in lines(args.data / "text"))
    languages = dict(line.split(" ", 1) for line in lines(args.data / "utt2lang"))
    count = args.steps * args.batch_size
    step = max(1, len(texts) // count)  # utterances of all kinds, not the first ones
    items = []
    for line in lines(args.data / "wav.scp")[::step][:count]:
        name, path = line.split(" ", 1)
        data = {"speech": soundfile.read(path, dtype="float32")[0]}
        data |= {"text": texts[name], "lang": languages[name]}
        items.append((len(data["speech"]), name, data))
    items.sort(key=lambda item: item[0])
    collate = CommonCollateFn(float_pad_value=0.0, int_pad_value=IGNORE)
    ready = [(name, preprocess(name, data)) for _, name, data in items]
    size = args.batch_size
    return [collate(ready[i : i + size]) for i in range(0, len(ready), size)]


def plain_loop(
    model: WhisperModel, optimizer: torch.optim.Optimizer, data: Sequence[Batch]
) -> None:
    model.train()
    for _, batch in data:
        loss = model(**batch)[0]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()


def espnet_loop(
    model: WhisperModel,
    optimizer: torch.optim.Optimizer,
    data: Sequence[Batch],
    *more: str,
    scaler: torch.amp.GradScaler | None = None,
) -> None:
    words = ["--output_dir", os.devnull, "--grad_clip", "1.0", *more]
    options = WhisperTrainer.build_options(WhisperTask.get_parser().parse_args(words))
    reporter = Reporter()
    reporter.set_epoch(1)
    with reporter.observe("train") as sub, tempfile.TemporaryDirectory() as folder:
        WhisperTrainer.step = StepCheckpoint(
            Path(folder), model, [optimizer], [None], distributed=False, device="cpu"
        )
        WhisperTrainer.train_one_epoch(
            model=model,
            iterator=data,
            optimizers=[optimizer],
            schedulers=[None],
            scaler=scaler,
            reporter=sub,
            summary_writer=None,
            options=options,
            distributed_option=DistributedOption(),
        )


def seconds(way: Callable[[Sequence[Batch]], None], data: Sequence[Batch]) -> float:
    start = time.perf_counter()
    way(data)
    return time.perf_counter() - start


def lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines()


if __name__ == "__main__":
    main()
