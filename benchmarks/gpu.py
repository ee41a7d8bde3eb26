#!/usr/bin/env python3
"""Measure what a GPU is for, beside the CPU: benchmarks/gpu.sh starts it.

Parts: the tests marked gpu; a training step and decoding of Whisper base; many adapters
in one batch, or switched; merges that decompose matrices, at the shapes of large-v3.
Seconds are those of a clock, the GPU's last work included. The CPU has all its cores.

The table is written after each part. One that fails is a row of it, and status 1.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # for processes; here it is set below

import numpy as np
import soundfile
import soxr
import torch

ROOT = Path(__file__).parents[1]
FETCHED = ROOT / "egs2" / "prompts" / "merge1" / "exp" / "base"
CORES = len(os.sched_getaffinity(0))
RATE = 16_000
METHODS = ("tsv_m", "boosted_tsv_m", "iso_c")


@dataclass(frozen=True)
class Run:
    """What to measure, and where.

    Attributes:
        work: a directory for models and data.
        model: the Whisper to train and decode with.
        gpu: its name to torch.
        merged: a size of benchmarks/synthetic.py, whose layers are merged.
        experts: that are merged.
        utterances: in a batch, and in a measurement.
        steps: of training in a round.
        rounds: of which the median counts.
        tokens: that a text may have.
    """

    work: Path
    model: Path
    gpu: str = "cuda"
    merged: str = "wide"
    experts: int = 4
    batch: int = 16
    utterances: int = 32
    steps: int = 2
    rounds: int = 2
    tokens: int = 48

    @property
    def data(self) -> Path:
        return self.work / "data"


@dataclass(frozen=True)
class Row:
    """A line of the table: seconds on either device, and what else is to be said."""

    what: str
    cpu: float | None = None
    gpu: float | None = None
    remark: str = ""

    def cells(self) -> list[str]:
        seconds = ["" if x is None else f"{x:.3g}" for x in (self.cpu, self.gpu)]
        ratio = f"{self.cpu / self.gpu:.1f}" if self.cpu and self.gpu else ""
        return [self.what, *seconds, ratio, self.remark]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--model", type=Path, default=FETCHED, help="Whisper base; else a random one")
    add("--work", type=Path, help="for models and data; kept")
    add("--output", type=Path, default=ROOT / "benchmarks" / "GPU.md")
    add("--rehearse", action="store_true", help="on the CPU alone, with micro models")
    args = parser.parse_args(argv)
    if not args.rehearse and not torch.cuda.is_available():
        print("benchmarks/gpu.sh: no GPU that torch can use: nothing is measured")
        return 0
    torch.set_num_threads(CORES)
    place = nullcontext(args.work) if args.work else tempfile.TemporaryDirectory()
    with place as work:
        run = Run(Path(work), args.model)
        if args.rehearse:
            sizes = {"merged": "nano", "experts": 2, "batch": 4, "utterances": 4}
            run = replace(run, gpu="cpu", **sizes, steps=1, rounds=1, tokens=4)
        return measure(run, args.output, "micro" if args.rehearse else "base")


def measure(run: Run, output: Path, size: str) -> int:
    """Measure all parts, write the table after each, and return the status."""
    from synthetic import random_whisper

    about = f"Whisper {size}"
    if not (run.model / "config.json").is_file():
        run = replace(run, model=random_whisper(run.work / "random", size))
        about += " with random weights, for its own were not there: of speed alone"
    write_data(run.data, run.utterances)
    rows: list[Row] = []
    failed = False
    for part in PARTS:
        try:
            rows += part(run)
        except Exception as error:
            traceback.print_exc()
            failed = True
            rows.append(Row(part.__name__, remark=f"failed: {type(error).__name__}"))
        write_table(output, about, run, rows)
    print(output.read_text("utf-8"))
    return int(failed)


def write_table(output: Path, about: str, run: Run, rows: Sequence[Row]) -> None:
    from espnet_merge.disk.atomic import whole_file

    device = "No GPU, a rehearsal"
    if run.gpu == "cuda":
        device = torch.cuda.get_device_name()
    head = ["what", "CPU, s", "GPU, s", "times faster", ""]
    table = [head, ["---"] * len(head), *(row.cells() for row in rows)]
    lines = ["# On a GPU", "", "Written by `benchmarks/gpu.sh`.", ""]
    lines += [f"{device}; {CORES} cores; torch {torch.__version__}; {about}.", ""]
    lines += ["| " + " | ".join(cells) + " |" for cells in table]
    with whole_file(output) as part:
        part.write_text("\n".join(lines) + "\n", "utf-8")


def tests(run: Run) -> Iterator[Row]:
    """Run the tests that are skipped elsewhere."""
    files = [x for x in ROOT.glob("tests/*/test_*.py") if "mark.gpu" in x.read_text()]
    if run.gpu == "cpu":
        files = [x for x in files if x.name == "test_passes.py"]
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", *map(str, files)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    print(done.stdout)
    said = [line for line in done.stdout.splitlines() if " in " in line]
    yield Row("tests marked `gpu`", remark=said[-1] if said else "did not start")
    if done.returncode:
        raise RuntimeError(f"pytest ended with {done.returncode}")


def training(run: Run) -> Iterator[Row]:
    """Time a step of ESPnet's trainer, in float32 and, on the GPU, in half of it."""
    from training import batches

    from espnet_merge.tasks.whisper import WhisperModel
    from espnet_merge.whisper.model import load_whisper
    from espnet_merge.whisper.prompt import load_tokenizer

    sizes = Namespace(
        whisper=run.model, data=run.data, steps=run.steps, batch_size=run.batch
    )
    data = batches(sizes, pad_to=0)

    def step(device: str, *, half: bool = False) -> float:
        model = WhisperModel(load_whisper(run.model), load_tokenizer(run.model))
        seconds = trainer(model.to(device), data, half=half)
        return median(seconds, run.rounds) / len(data)

    cpu = step("cpu")
    what = f"training step, {run.batch} utterances"
    yield Row(what, cpu, step(run.gpu), "float32")
    if run.gpu == "cuda":
        torch.cuda.reset_peak_memory_stats()
        kind = "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
        half = step(run.gpu, half=True)
        peak = torch.cuda.max_memory_allocated() / 1e6
        yield Row(what, cpu, half, f"{kind} on the GPU, {peak:.0f} MB there")


def trainer(model, data, *, half: bool) -> Callable[[], object]:
    """Return what takes a step on each batch."""
    from training import espnet_loop

    more = ["--ngpu", str(int(next(model.parameters()).is_cuda))]
    scaler = torch.amp.GradScaler() if half else None
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)
    return lambda: espnet_loop(model, optimizer, data, *more, scaler=scaler)


def decoding(run: Run) -> Iterator[Row]:
    """Time an utterance, greedy and with a beam, at true length."""
    for beam in (1, 5):
        what = f"an utterance decoded, beam {beam}"
        cpu = decoder(run, beam, "cpu", "float32")
        yield Row(what, cpu, decoder(run, beam, run.gpu, "float32"), "float32")
        half = decoder(run, beam, run.gpu, "bfloat16")
        yield Row(what, cpu, half, "bfloat16 on the GPU")


def decoder(run: Run, beam: int, device: str, dtype: str) -> float:
    from espnet_merge.decode.batches import batches
    from espnet_merge.decode.expert import load_expert
    from espnet_merge.decode.recognize import Recognizer
    from espnet_merge.decode.settings import Settings
    from espnet_merge.decode.torch_backend import TorchBackend
    from espnet_merge.decode.utterances import read_utterances
    from espnet_merge.whisper.prompt import load_tokenizer

    settings = Settings(pad_to=0, tail=4, beam=beam, max_new_tokens=run.tokens)
    whisper = load_expert(run.model, device=device, dtype=dtype)
    backend = TorchBackend(whisper, load_tokenizer(run.model), settings)
    recognizer = Recognizer(backend, None)
    utterances = read_utterances(run.data)
    todo = batches(utterances, run.batch)
    seconds = median(lambda: [list(recognizer(batch)) for batch in todo], run.rounds)
    return seconds / len(utterances)


def adapters(run: Run) -> Iterator[Row]:
    """Time eight adapters mixed in each batch, and switched between."""
    import lora

    sizes = {"count": run.utterances, "batch_size": run.batch, "beam": 1}
    args = Namespace(
        model=run.model, data=run.data, pad_to=0.0, tail=4.0, max_new_tokens=run.tokens,
        device=run.gpu, dtype="float32", **sizes,
    )  # fmt: skip
    ways = lora.decoders(args, lora.write_adapters(run.model, run.work / "adapters"))
    seconds, texts = lora.measure(ways, run.rounds)
    unit = statistics.median(seconds[lora.BASE])
    for name, taken in seconds.items():
        time_of = statistics.median(taken)
        same = sum(a == b for a, b in zip(texts[name], texts[lora.BASE], strict=True))
        remark = f"{time_of / unit:.2f} of the base's time, {same} texts of its"
        yield Row(f"eight adapters: {name}", gpu=time_of, remark=remark)


def merging(run: Run) -> Iterator[Row]:
    """Time whole merges, start-up included, and compare what they write."""
    from measure import measure as cost
    from synthetic import write_models

    base, *experts = write_models(
        run.work / f"models-{run.merged}", run.merged, "float16", run.experts
    )
    experts = experts[: run.experts]
    for method in METHODS:
        seconds, outputs = {}, {}
        for device in ("cpu", "gpu"):
            outputs[device] = run.work / f"{method}-{device}"
            place = "cpu" if device == "cpu" else run.gpu
            command = [
                *(sys.executable, "-m", "espnet_merge", "merge", "--method", method),
                *("--base", str(base), "--experts", *map(str, experts)),
                *("--output", str(outputs[device]), "--overwrite", "--device", place),
            ]
            seconds[device] = cost(command, run.work / "log")["wall"]
        gap = difference(base, outputs["cpu"], outputs["gpu"])
        what = f"{method} of {len(experts)} experts, shapes of {run.merged}"
        yield Row(what, **seconds, remark=f"task vectors differ by {gap:.0e} at most")


def difference(base: Path, one: Path, other: Path) -> float:
    """Return the largest share of a tensor's task vector in which two merges differ."""
    from safetensors import safe_open

    name = "model.safetensors"
    with (
        safe_open(base / name, "numpy") as start,
        safe_open(one / name, "numpy") as here,
        safe_open(other / name, "numpy") as there,
    ):
        shares = [0.0]
        for key in here.keys():  # noqa: SIM118 - no mapping
            mine, its = here.get_tensor(key), there.get_tensor(key)
            moved = np.linalg.norm(mine - start.get_tensor(key).astype(np.float32))
            if moved:
                shares.append(float(np.linalg.norm(mine - its) / moved))
    return max(shares)


def write_data(directory: Path, count: int) -> None:
    """Write a Kaldi data directory of the tests' recordings, one after the other."""
    recordings = ROOT / "tests" / "recordings"
    directory.mkdir(parents=True, exist_ok=True)
    rows = (recordings / "text").read_text("utf-8").splitlines()
    spoken = [row.split(" ", 1) for row in rows]
    tables: dict[str, list[str]] = {"wav.scp": [], "text": [], "utt2lang": []}
    for number in range(count):
        name, text = spoken[number % len(spoken)]
        file = directory / f"{name}.wav"
        if not file.is_file():
            samples, rate = soundfile.read(recordings / f"{name}.flac")
            soundfile.write(file, soxr.resample(samples, rate, RATE), RATE)
        for table, value in zip(tables, (file, text, name[:2]), strict=True):
            tables[table].append(f"{name}-{number:03d} {value}\n")
    for table, lines in tables.items():
        (directory / table).write_text("".join(sorted(lines)), "utf-8")


PARTS = (tests, training, decoding, adapters, merging)


def median(work: Callable[[], object], rounds: int) -> float:
    """Return the seconds that it takes, the median of some rounds after one."""
    work()
    seconds = []
    for _ in range(rounds):
        start = now()
        work()
        seconds.append(now() - start)
    return statistics.median(seconds)


def now() -> float:
    """Return a time at which the GPU has done all that it was asked."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == "__main__":
    sys.exit(main())
