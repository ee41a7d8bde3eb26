#!/usr/bin/env python3
"""Export a Whisper to each format, and decode ten utterances in each runtime.

    benchmarks/export.py --model exp/base --data dump/raw/en_test --work WORK

Each format in a process of its own, one thread. The first times are of all of it up to
the written directory, imports included; the last is of its runtime, with the loading.
Adapters are random ones of rank 32.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from measure import OFFLINE, ONE_THREAD

# Format, type of the weights, and whether it is asked of an adapter.
EXPORTS = (
    *("hf", "hf float16", "openai", "ctranslate2", "ctranslate2 int8", "ggml", "onnx"),
    *("hf of an adapter", "peft", "bundle"),
)
LANGUAGES = ("en", "es")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--model", type=Path, required=True, help="Hugging Face Whisper directory")
    add("--data", type=Path, required=True, help="Kaldi data directory")
    add("--work", type=Path, required=True, help="for what is written; kept")
    add("--exports", nargs="+", choices=EXPORTS, default=EXPORTS)
    add("--one", choices=EXPORTS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    if args.one:
        print(json.dumps(measured(args.one, args)))
        return
    for language in LANGUAGES:
        if not (args.work / language).exists():
            write_adapter(args.model, args.work / language, LANGUAGES.index(language))
    print(
        "| export | wall s | CPU s | MB | runtime | same texts | CPU s an utterance |"
    )
    print("|---|---|---|---|---|---|---|", flush=True)
    differing = []
    for name in args.exports:
        found = run(name, args)
        differing += found["differing"]
        print(
            f"| {name} | {found['wall']:.0f} | {found['cpu']:.0f} | {found['mb']:.0f} "
            f"| {found['runtime']} | {found['same']} of {found['count']} "
            f"| {found['seconds']:.1f} |",
            flush=True,
        )
    print("", *differing, sep="\n")


def run(name: str, args: argparse.Namespace) -> dict:
    words = ["--model", args.model, "--data", args.data, "--work", args.work]
    process = subprocess.run(
        [sys.executable, __file__, *map(str, words), "--one", name],
        env={**os.environ, **ONE_THREAD, **OFFLINE},
        capture_output=True,
        text=True,
    )
    if process.returncode:
        last = process.stderr.strip().splitlines()[-1:]
        sys.exit(f"export.py: error: {name}: {''.join(last)}")
    return json.loads(process.stdout.splitlines()[-1])


def measured(name: str, args: argparse.Namespace) -> dict:
    """Export, take the time of that, and check."""
    start = time.monotonic()
    from espnet_merge.export.check import texts_here, texts_there, utterances_of
    from espnet_merge.export.export import export_to
    from espnet_merge.export.formats import format_of
    from espnet_merge.export.source import open_source

    output = args.work / name.replace(" ", "_")
    shutil.rmtree(output, ignore_errors=True)
    kind, _, more = name.partition(" ")
    alone = kind == "peft" or more == "of an adapter"
    path = args.work / LANGUAGES[0] if alone else args.model
    base = args.model if alone else None
    many = {x: args.work / x for x in LANGUAGES} if kind == "bundle" else {}
    dtype = more if more in ("float16", "int8") else None
    export_to(kind, path, output, dtype=dtype, base=base, adapters=many)
    wall, cpu = time.monotonic() - start, time.process_time()
    size = sum(file.stat().st_size for file in output.rglob("*") if file.is_file())
    known = args.work / f"here_{'bundle' if many else path.name}.json"
    with open_source(path, base, many) as source:
        utterances = utterances_of(args.data, source.model)
        if not known.exists():
            known.write_text(json.dumps(texts_here(source, utterances)))
        here = json.loads(known.read_text())
        start = time.process_time()
        there = texts_there(format_of(kind), output, source, utterances)
    return {
        "wall": wall,
        "cpu": cpu,
        "mb": size / 1e6,
        "runtime": str(format_of(kind).runtime),
        "same": sum(there[x] == here[x] for x in here),
        "count": len(here),
        "seconds": (time.process_time() - start) / len(here),
        "differing": [
            f"{name}: {x}: {here[x]!r} here, {there[x]!r} there"
            for x in here
            if there[x] != here[x]
        ],
    }


def write_adapter(model: Path, output: Path, seed: int) -> None:
    import torch

    from espnet_merge.lora.adapter import add_adapter, save_adapter
    from espnet_merge.whisper.model import load_whisper

    torch.manual_seed(seed)
    network = add_adapter(load_whisper(model), {})
    for name, parameter in network.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.002)
    output.mkdir()
    save_adapter(network, output)


if __name__ == "__main__":
    main()
