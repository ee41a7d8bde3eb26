#!/usr/bin/env python3
"""Train a LoRA expert twice: by WhisperTask, and by a loop over transformers and peft.

Both begin with conf/train/lora.yaml, its seed, and the same batches in the same order,
padded to 30 s, for transformers takes nothing else. Each is a whole process with one
thread, in turn. What is compared: the loss of each step, CPU seconds of a step without
loading data, and the peak of anonymous memory of the process.

    benchmarks/lora_training.py --whisper exp/base --data dump/raw/es_train --work WORK
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

os.environ.setdefault("OMP_NUM_THREADS", "1")

import soundfile
import torch
import yaml
from measure import measure

CONFIG = Path(__file__).parents[1] / "conf" / "train" / "lora.yaml"
WAYS = ("ours", "by hand")
FILES = {"wav.scp": "speech,sound", "text": "text,text", "utt2lang": "lang,text"}
PROMPT = 3  # tokens after the start that are given and not learnt
IGNORED = -100  # by transformers' loss

Step = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--whisper", type=Path, required=True, help="Hugging Face directory")
    add("--data", type=Path, required=True, help="with wav.scp, text, utt2lang")
    add("--work", type=Path, required=True)
    add("--batch-size", type=int, default=2)
    add("--steps", type=int, default=20)
    add("--rounds", type=int, default=3)
    add("--way", choices=WAYS, help="do this alone, and write WORK/WAY.json")
    args = parser.parse_args()
    if args.way == "ours":
        options = ("--batch_size", str(args.batch_size), "--pad_to", "30")
        steps = train(args.whisper, args.work, *options, "--tail", "0")
        write(args.work, "ours", steps)
    elif args.way:
        names = [step["names"] for step in read(args.work, "ours")]
        write(args.work, args.way, list(by_hand(args.whisper, args.work, names)))
    else:
        take(args.data, args.work, args.steps * args.batch_size)
        compare(args.work, args.rounds)


def compare(work: Path, rounds: int) -> None:
    """Run both ways in turn, and print what each cost."""
    costs: dict[str, list[float]] = {way: [] for way in WAYS}
    peaks: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way in WAYS:
            command = [sys.executable, *sys.argv, "--way", way]
            peaks[way].append(measure(command, work / "log")["anon"])
            seconds = [step["seconds"] for step in read(work, way)]
            costs[way].append(statistics.median(seconds))
        ours, theirs = (read(work, way) for way in WAYS)
        print(f"losses differ by {difference(ours, theirs):.1e} at most", flush=True)
    for way in WAYS:
        print(
            f"{way:8}{statistics.median(costs[way]):8.2f} s a step, "
            f"{statistics.median(peaks[way]):6.0f} MB"
        )
    ratios = [ours / theirs for ours, theirs in zip(*costs.values(), strict=True)]
    print(
        f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
    )
    print("losses", *(f"{step['loss']:.3f}" for step in ours))


def difference(ours: Sequence[Step], theirs: Sequence[Step]) -> float:
    pairs = zip(ours, theirs, strict=True)
    return max(abs(one["loss"] - other["loss"]) for one, other in pairs)


def train(whisper: Path, work: Path, *options: str) -> list[Step]:
    """Train as recipes do, for an epoch over WORK/train."""
    from espnet_merge.bin.whisper_train import main as whisper_train
    from espnet_merge.tasks.trainer import WhisperTrainer
    from espnet_merge.tasks.whisper import WhisperModel, WhisperTask

    steps: list[Step] = []
    losses: list[float] = []

    class Watched(WhisperTrainer):
        @classmethod
        def train_one_epoch(
            cls, model: WhisperModel, iterator: Iterable[Any], **kwargs: Any
        ) -> bool:
            hook = model.register_forward_hook(
                lambda *call: losses.append(call[-1][0].item())
            )
            stopped = super().train_one_epoch(model, timed(iterator, steps), **kwargs)
            hook.remove()
            return stopped

    words = ["--config", str(CONFIG), "--whisper", str(whisper), *options]
    words += ["--output_dir", str(work / "exp"), "--max_epoch", "1"]
    words += ["--use_tensorboard", "false", "--use_matplotlib", "false"]
    for part in ("train", "valid"):
        for file, kind in FILES.items():
            words += [f"--{part}_data_path_and_name_and_type"]
            words += [f"{work / part / file},{kind}"]
        words += [f"--{part}_shape_file", str(work / part / "samples")]
    with patch.object(WhisperTask, "trainer", Watched):
        whisper_train(words)
    for step, loss in zip(steps, losses, strict=True):
        step["loss"] = loss
    return steps


def timed(
    batches: Iterable[tuple[Any, Any]], steps: list[Step]
) -> Iterator[tuple[Any, Any]]:
    """Yield batches, and note their names and what each costs until the next."""
    for names, batch in batches:
        start = time.process_time()
        yield names, batch
        spent = time.process_time() - start
        steps.append({"names": list(names), "seconds": spent})


def by_hand(
    whisper: Path, work: Path, names: Sequence[Sequence[str]], **lora_conf: object
) -> list[Step]:
    """Train as anybody would with transformers and peft, on these batches."""
    from peft import LoraConfig, get_peft_model
    from torch.utils.data import DataLoader
    from transformers import WhisperForConditionalGeneration, WhisperProcessor

    config = yaml.safe_load(CONFIG.read_text())
    processor = WhisperProcessor.from_pretrained(whisper)
    table = {file: dict(rows(work / "train" / file)) for file in FILES}

    def prepare(batch: Sequence[str]) -> tuple[Sequence[str], dict[str, torch.Tensor]]:
        audio = [soundfile.read(table["wav.scp"][name])[0] for name in batch]
        features = processor.feature_extractor(
            audio, sampling_rate=16_000, return_tensors="pt"
        )
        texts = []
        for name in batch:
            processor.tokenizer.set_prefix_tokens(
                language=table["utt2lang"][name], task="transcribe"
            )
            ids = processor.tokenizer(f" {table['text'][name]}").input_ids
            texts.append(torch.tensor(ids))
        tokens, labels = (
            torch.nn.utils.rnn.pad_sequence(part, True, pad)
            for part, pad in (
                ([ids[:-1] for ids in texts], processor.tokenizer.eos_token_id),
                ([ids[1:] for ids in texts], IGNORED),
            )
        )
        labels[:, :PROMPT] = IGNORED
        return batch, {**features, "decoder_input_ids": tokens, "labels": labels}

    torch.manual_seed(config["seed"])
    base = WhisperForConditionalGeneration.from_pretrained(whisper)
    model = get_peft_model(base, LoraConfig(**{**config["lora_conf"], **lora_conf}))
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, **config["optim_conf"])
    model.train()
    loader = DataLoader(list(names), None, collate_fn=prepare, num_workers=1)
    steps: list[Step] = []
    losses = []
    for _, batch in timed(loader, steps):
        loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, config["grad_clip"])
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return [step | {"loss": loss} for step, loss in zip(steps, losses, strict=True)]


def take(data: Path, work: Path, count: int) -> None:
    """Write WORK/train, utterances of all kinds, and WORK/valid, one of them."""
    names = [name for name, _ in rows(data / "wav.scp")]
    chosen = names[:: max(1, len(names) // count)][:count]
    for part, wanted in (("train", chosen), ("valid", chosen[:1])):
        (work / part).mkdir(parents=True, exist_ok=True)
        for file in FILES:
            table = dict(rows(data / file))
            write_rows(work / part / file, {name: table[name] for name in wanted})
        audio = dict(rows(work / part / "wav.scp"))
        samples = {name: soundfile.info(path).frames for name, path in audio.items()}
        write_rows(work / part / "samples", samples)


def rows(path: Path) -> list[list[str]]:
    return [line.split(" ", 1) for line in path.read_text("utf-8").splitlines()]


def write_rows(path: Path, table: dict[str, Any]) -> None:
    lines = (f"{name} {value}\n" for name, value in table.items())
    path.write_text("".join(lines), "utf-8")


def read(work: Path, way: str) -> list[Step]:
    steps: list[Step] = json.loads((work / f"{way}.json").read_text())
    return steps


def write(work: Path, way: str, steps: list[Step]) -> None:
    (work / f"{way}.json").write_text(json.dumps(steps))


if __name__ == "__main__":
    main()
