#!/usr/bin/env python3
"""Time decoding: ours against transformers, CTranslate2, faster-whisper and others.

    benchmarks/peers.sh PEERS
    benchmarks/decoding.py --model exp/base --data dump/raw/es_test --work WORK \
        --peers PEERS

The same audio, padded to 30 s unless said, the same beam and batches, one thread. A
decoder is a process of its own, all run in turn, and a ratio is the median of ratios
within rounds.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import soundfile
from measure import OFFLINE, ONE_THREAD

HERE = Path(__file__).parent
OURS = "torch"
DECODERS = (
    OURS,
    "transformers",
    "ctranslate2 float32",
    "raw float32",
    "ctranslate2 int8",
    "raw int8",
    "torch, early stopping",
    "torch, true length",
)
# Those of an environment of their own.
PEERS = {
    "openai-whisper": "openai_whisper",
    "faster-whisper": "openai_whisper",
    "espnet": "espnet",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--model", type=Path, required=True, help="Hugging Face Whisper directory")
    add("--data", type=Path, required=True, help="with wav.scp and utt2lang")
    add("--work", type=Path, required=True, help="for converted models; kept")
    add("--peers", type=Path, help="directory that peers.sh has filled")
    add("--decoders", nargs="+", choices=(*DECODERS, *PEERS), help="all there are")
    add("--count", type=int, default=16, help="utterances, from the longest on evenly")
    add("--longest", type=float, default=30.0, help="seconds; no longer ones")
    add("--beam", type=int, default=5)
    add("--batch-size", type=int, default=8)
    add("--tail", type=float, default=4.0, help="of silence, at true length; seconds")
    add("--rounds", type=int, default=5)
    args = parser.parse_args()

    args.work.mkdir(parents=True, exist_ok=True)
    wavs = choose(args.data, args.count, args.longest)
    (args.work / "wavs").write_text("".join(f"{path}\n" for path in wavs))
    decoders = args.decoders or [*DECODERS, *(PEERS if args.peers else ())]
    convert(args.model, args.work)
    write_openai(args.model, args.work / "model.pt")
    runs: dict[str, list[float]] = {decoder: [] for decoder in decoders}
    texts: dict[str, list[str]] = {}
    for number in range(args.rounds):
        for place in range(len(decoders)):
            decoder = decoders[(number + place) % len(decoders)]
            result = run(decoder, args)
            runs[decoder].append(result["cpu"] / len(wavs))
            texts[decoder] = result["texts"]
            print(f"round {number + 1}: {decoder} {runs[decoder][-1]:.3f}", flush=True)
    print_table(runs, texts)


def choose(data: Path, count: int, longest: float) -> list[str]:
    """Return wavs of all lengths up to ``longest`` seconds, the longest first."""
    paths = [line.split(maxsplit=1)[1] for line in lines(data / "wav.scp")]
    seconds = {path: soundfile.info(path).duration for path in paths}
    rows = sorted(
        (p for p in paths if seconds[p] <= longest), key=lambda p: -seconds[p]
    )
    return rows[:: max(1, len(rows) // count)][:count]


def convert(model: Path, work: Path) -> None:
    """Write the models that CTranslate2 reads, with tokenizer and features."""
    from ctranslate2.converters import TransformersConverter

    files = ["tokenizer.json", "tokenizer_config.json", "preprocessor_config.json"]
    files = [name for name in files if (model / name).exists()]
    for kind in ("float32", "int8"):
        if not (work / kind).exists():
            converter = TransformersConverter(str(model), copy_files=files)
            converter.convert(str(work / kind), quantization=kind)


def write_openai(model: Path, output: Path) -> None:
    import torch

    from espnet_merge.checkpoint import open_checkpoint
    from espnet_merge.checkpoint.names import to_openai
    from espnet_merge.checkpoint.openai import dims_of

    base = open_checkpoint(model)
    shapes = {name: entry.shape for name, entry in base.entries.items()}
    weights = {
        to_openai(name): torch.from_numpy(base.read(name).reshape(shape).copy())
        for name, shape in shapes.items()
    }
    dims = dims_of(shapes, base.config, model)
    torch.save({"dims": dims, "model_state_dict": weights}, output)


def run(decoder: str, args: argparse.Namespace) -> dict[str, list[str] | float]:
    python, model = sys.executable, args.model
    if decoder.startswith("raw"):
        model = args.work / decoder.removeprefix("raw ")
    if decoder in PEERS:
        python = args.peers / PEERS[decoder] / "bin" / "python"
        model = args.work / ("float32" if decoder == "faster-whisper" else "model.pt")
    language = lines(args.data / "utt2lang")[0].split()[1]
    sizes = [args.beam, args.batch_size, args.tail]
    words = [decoder, model, args.work / "wavs", language, *sizes]
    process = subprocess.run(
        [python, HERE / "run_decoder.py", *map(str, words)],
        env={**os.environ, **ONE_THREAD, **OFFLINE},
        capture_output=True,
        text=True,
    )
    if process.returncode:
        last = process.stderr.strip().splitlines()[-1:]
        sys.exit(f"decoding.py: error: {decoder}: {''.join(last)}")
    return json.loads(process.stdout.splitlines()[-1])


def print_table(runs: dict[str, list[float]], texts: dict[str, list[str]]) -> None:
    """Print CPU seconds an utterance, ratios to ours, and how many texts are ours."""
    print("\n| decoder | s an utterance | of ours | same texts |\n|---|---|---|---|")
    for decoder, seconds in runs.items():
        ratios = [a / b for a, b in zip(seconds, runs[OURS], strict=True)]
        same = sum(a == b for a, b in zip(texts[decoder], texts[OURS], strict=True))
        print(
            f"| {decoder} | {statistics.median(seconds):.3f} ({min(seconds):.3f} to "
            f"{max(seconds):.3f}) | {statistics.median(ratios):.2f} | {same} of "
            f"{len(texts[OURS])} |"
        )


def lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines()


if __name__ == "__main__":
    main()
