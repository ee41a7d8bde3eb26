#!/usr/bin/env python3
"""Cost of a step on several objectives against joint training on the same batches.

All ways run the same forward and backward passes: two samples of each objective. Times
are taken in turn in one process and compared round by round; peak memory is that of a
process of its own.

    benchmarks/objectives.py --whisper BASE --data DIR/es_train DIR/ru_train
"""

import argparse
import copy
import dataclasses
import functools
import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from training import batches

from espnet_merge.objectives.conf import Layers, read_conf
from espnet_merge.objectives.gradients import LayerGradients
from espnet_merge.objectives.step import ObjectivesStep
from espnet_merge.tasks.objectives import ObjectivesModel
from espnet_merge.whisper.model import load_whisper
from espnet_merge.whisper.prompt import load_tokenizer

SAMPLES = 2
JOINT = "joint training"
LAYERS = {
    JOINT: None,
    "layer selection": {"select": True, "every": 8},
    "every layer": {"select": False, "every": 8},
}
# What is timed inside of a step, by where it is done.
PARTS = {
    "passes": (ObjectivesStep, "_backward"),
    "rows": (ObjectivesStep, "_attach"),
    "products": (LayerGradients, "against_last"),
    "measuring": (ObjectivesStep, "_measure"),
    "solver": (ObjectivesStep, "_solve"),
    "direction": (ObjectivesStep, "_leave"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--whisper", type=Path, required=True)
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, help="a directory an objective"
    )
    parser.add_argument("--shared", default=r"model\.encoder\.")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--steps", type=int, default=1, help="steps in a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--warm-up", type=int, default=8, help="steps of selection")
    parser.add_argument("--memory-of", choices=LAYERS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.memory_of:
        report_memory(args)
        return

    data = steps(args)
    model = build(args)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)
    ways = {name: way(model, optimizer, conf) for name, conf in LAYERS.items()}
    for name, run in ways.items():
        # So that selection has measured each layer before it is timed.
        for index in range(args.warm_up if name == "layer selection" else 1):
            run(data[index % len(data)])
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    split: dict[str, Counter[str]] = {name: Counter() for name in ways}
    for _ in range(args.rounds):
        for name, run in ways.items():
            with timed_parts(split[name]):
                start = time.process_time()
                for step in data:
                    run(step)
                seconds[name].append((time.process_time() - start) / len(data))
    memory = {name: peak(args, name) for name in ways}
    frames = [b["speech"].shape[1] / 100 for o in data[0] for s in o for _, b in s]
    print(
        f"{len(args.data)} objectives, {SAMPLES} batches of {args.batch_size} of each "
        f"in a step, {min(frames):.1f} to {max(frames):.1f} s long"
    )
    for name, values in seconds.items():
        ratios = [v / j for v, j in zip(values, seconds[JOINT], strict=True)]
        print(
            f"{name:16}{statistics.median(values):7.2f} CPU s/step"
            f"{statistics.median(ratios):6.2f}x ({min(ratios):.2f}-{max(ratios):.2f})"
            f"{memory[name]:7.0f} MB{memory[name] / memory[JOINT]:6.2f}x"
        )
        rounds = args.rounds * len(data)
        shares = [f"{part} {s / rounds:.3f}" for part, s in split[name].items()]
        if shares:
            print(f"{'':16}of that: {', '.join(shares)} s")
    for name, run in ways.items():
        if step := getattr(run, "step", None):
            print(f"{name}: {len(step.kept)} of {len(step.layers)} layers kept")


def build(args: argparse.Namespace) -> ObjectivesModel:
    """Return the model with one objective a data directory."""
    languages = [path.name.split("_")[0] for path in args.data]
    conf = read_conf(
        {
            "objectives": {code: {"language": code} for code in languages},
            "shared": args.shared,
        },
        {("transcribe", code) for code in languages},
    )
    network, tokenizer = load_whisper(args.whisper), load_tokenizer(args.whisper)
    return ObjectivesModel(network, tokenizer, conf=conf).train()


def steps(args: argparse.Namespace) -> list[list[list[list[tuple]]]]:
    """Return the batches of each step: by objective, sample and part."""
    whole = argparse.Namespace(**vars(args))
    whole.steps = args.steps * SAMPLES
    found = []
    for path in args.data:
        whole.data = path
        found.append(batches(whole, pad_to=0))
    return [
        [[[o[SAMPLES * step + s]] for s in range(SAMPLES)] for o in found]
        for step in range(args.steps)
    ]


class Joint:
    """A plain loop that adds up the gradients of all batches of a step."""

    def __init__(
        self, model: ObjectivesModel, optimizer: torch.optim.Optimizer
    ) -> None:
        self.model = model
        self.optimizer = optimizer

    def __call__(self, data: Sequence[Sequence[Sequence[tuple]]]) -> None:
        self.gradients(data)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def gradients(self, data: Sequence[Sequence[Sequence[tuple]]]) -> None:
        for objective in data:
            for ((_, batch),) in objective:
                loss = self.model(**batch)[0]
                (loss.sum() / (len(data) * SAMPLES)).backward()


class Soup(Joint):
    """The same with the step of the trainer."""

    def __init__(
        self,
        model: ObjectivesModel,
        optimizer: torch.optim.Optimizer,
        layers: dict[str, object],
    ) -> None:
        super().__init__(model, optimizer)
        conf = dataclasses.replace(model.conf, layers=Layers(**layers))
        state = copy.deepcopy(model.objectives)
        self.step = ObjectivesStep(model, state, conf, model.shared_layers(), epoch=1)

    def gradients(self, data: Sequence[Sequence[Sequence[tuple]]]) -> None:
        self.step(data)


def way(
    model: ObjectivesModel, optimizer: torch.optim.Optimizer, layers: dict | None
) -> Joint:
    if layers is None:
        return Joint(model, optimizer)
    return Soup(model, optimizer, layers)


@contextmanager
def timed_parts(seconds: Counter[str]) -> Iterator[None]:
    """Add up CPU seconds of the parts of a step."""
    whole = {part: getattr(*place) for part, place in PARTS.items()}
    for part, (class_, name) in PARTS.items():
        setattr(class_, name, timed(whole[part], part, seconds))
    try:
        yield
    finally:
        for part, (class_, name) in PARTS.items():
            setattr(class_, name, whole[part])


def timed(function: Callable, part: str, seconds: Counter[str]) -> Callable:
    @functools.wraps(function)
    def wrapped(*args: object, **kwargs: object) -> object:
        start = time.process_time()
        result = function(*args, **kwargs)
        seconds[part] += time.process_time() - start
        return result

    return wrapped


def peak(args: argparse.Namespace, name: str) -> float:
    """Return the peak memory in MB of a process that trains in one way."""
    words = [sys.executable, __file__, "--whisper", args.whisper, "--data", *args.data]
    words += ["--shared", args.shared, "--batch-size", args.batch_size]
    words += ["--warm-up", args.warm_up, "--memory-of", name]
    output = subprocess.run(
        [str(word) for word in words], check=True, capture_output=True, text=True
    )
    return json.loads(output.stdout)


def report_memory(args: argparse.Namespace) -> None:
    data = steps(args)
    model = build(args)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)
    run = way(model, optimizer, LAYERS[args.memory_of])
    for index in range(args.warm_up if args.memory_of == "layer selection" else 3):
        run(data[index % len(data)])
    # Not ru_maxrss, which a process inherits from the one that started it.
    status = Path("/proc/self/status").read_text("utf-8")
    [peak_kb] = [line.split()[1] for line in status.splitlines() if "VmHWM" in line]
    print(json.dumps(int(peak_kb) / 1024))


if __name__ == "__main__":
    main()
