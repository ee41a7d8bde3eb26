#!/usr/bin/env python3
"""Time many adapters on one base: mixed batches, adapter switching, mixtures.

    benchmarks/lora.py --model exp/base --data dump/raw/es_test --work WORK

The utterances take turns in eight languages, each with a random adapter of rank 32, so
small that all texts are the base's and all ways take the same steps. One thread, CPU
seconds (of a GPU, seconds), all ways in turn in one process; a ratio is the median of
ratios within rounds.
"""

import argparse
import itertools
import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from peft import PeftModel
from torch import nn

from espnet_merge.checkpoint.adapter import open_adapter
from espnet_merge.checkpoint.lora_defaults import DEFAULTS
from espnet_merge.decode.batches import batches
from espnet_merge.decode.expert import load_expert, load_routed
from espnet_merge.decode.recognize import Recognizer
from espnet_merge.decode.routes import Routes
from espnet_merge.decode.settings import Settings
from espnet_merge.decode.torch_backend import TorchBackend
from espnet_merge.decode.utterances import Utterance, read_utterances
from espnet_merge.lora.adapter import add_adapter, save_adapter
from espnet_merge.lora.mixture import add_mixture
from espnet_merge.lora.mixture_conf import MixtureConf
from espnet_merge.whisper.model import load_whisper
from espnet_merge.whisper.prompt import load_tokenizer

LANGUAGES = ("es", "it", "fr", "ru", "de", "nl", "pt", "pl")
RANK = int(DEFAULTS["r"])
BASE, MIXED = "base alone", "mixed"
SWITCHED, SORTED = "switched within a batch", "switched, sorted by language"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--model", type=Path, required=True, help="Hugging Face Whisper directory")
    add("--data", type=Path, required=True, help="with wav.scp")
    add("--work", type=Path, required=True, help="for the adapters; kept")
    add("--parts", nargs="+", default=("decode", "mixture"))
    add("--count", type=int, default=16, help="utterances")
    add("--batch-size", type=int, default=8)
    add("--beam", type=int, default=1)
    add("--pad-to", type=float, default=30.0)
    add("--tail", type=float, default=0.0, help="of silence, not padded; seconds")
    add("--max-new-tokens", type=int, default=32)
    add("--device", default="cpu", help="cpu or cuda")
    add("--dtype", default="float32")
    add("--rounds", type=int, default=5)
    add("--positions", type=int, default=1500, help="in the batch of the mixture")
    args = parser.parse_args()
    adapters = write_adapters(args.model, args.work)
    if "decode" in args.parts:
        print_table(measure(decoders(args, adapters), args.rounds), BASE)
    if "mixture" in args.parts:
        for way, layers in mixtures(args.model, adapters, args.positions).items():
            print(f"\n{way}")
            print_table(measure(layers, args.rounds), "LoRA")


def write_adapters(model: Path, work: Path) -> dict[str, Path]:
    adapters = {code: work / code for code in LANGUAGES}
    for directory in adapters.values():
        if not directory.exists():
            directory.mkdir(parents=True)
            network = add_adapter(load_whisper(model), {}, max_trainable_share=1.0)
            for name, weight in network.named_parameters():
                if "lora_B" in name:
                    nn.init.normal_(weight, std=1e-6)
            save_adapter(network, directory)
    return adapters


def decoders(
    args: argparse.Namespace, adapters: dict[str, Path]
) -> dict[str, Callable[[], list[str]]]:
    settings = Settings(
        pad_to=args.pad_to,
        tail=args.tail,
        beam=args.beam,
        batch_size=args.batch_size,
        max_new_tokens=args.max_new_tokens,
        device=args.device,
        dtype=args.dtype,
    )
    place = {"device": args.device, "dtype": args.dtype}
    tokenizer = load_tokenizer(args.model)

    def recognizer(whisper: nn.Module, routes: Routes | None = None) -> Recognizer:
        return Recognizer(TorchBackend(whisper, tokenizer, settings), routes)

    base = recognizer(load_expert(args.model, **place))
    routed = load_routed(args.model, list(adapters.values()), **place)
    mixed = recognizer(routed, Routes(adapters=adapters))
    network = switchable(args.model, adapters)
    network.to(args.device, getattr(torch, args.dtype))
    switching = recognizer(network.get_base_model())
    read = read_utterances(args.data, language="es")
    chosen = read[:: max(1, len(read) // args.count)][: args.count]
    turns = itertools.cycle(LANGUAGES)
    utterances = [u._replace(language=next(turns)) for u in chosen]
    todo = batches(utterances, args.batch_size)
    apart = [group for batch in todo for group in by_language(batch)]
    in_order = [
        batch
        for group in by_language(utterances)
        for batch in batches(group, args.batch_size)
    ]

    def switch(groups: Sequence[list[Utterance]]) -> list[str]:
        said = []
        for group in groups:
            network.set_adapter(group[0].language)
            said += texts(switching, [group])
        return sorted(said)

    return {
        BASE: lambda: texts(base, todo),
        MIXED: lambda: texts(mixed, todo),
        SWITCHED: lambda: switch(apart),
        SORTED: lambda: switch(in_order),
    }


def switchable(model: Path, adapters: dict[str, Path]) -> PeftModel:
    first, *others = adapters
    network = PeftModel.from_pretrained(
        load_whisper(model), adapters[first], adapter_name=first
    )
    for code in others:
        network.load_adapter(adapters[code], adapter_name=code)
    return network.eval()


def by_language(utterances: Sequence[Utterance]) -> list[list[Utterance]]:
    groups: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        groups.setdefault(utterance.language, []).append(utterance)
    return list(groups.values())


def texts(recognizer: Recognizer, todo: Sequence[list[Utterance]]) -> list[str]:
    return sorted(
        f"{segment.audio.name} {segment.hypothesis.tokens}"
        for batch in todo
        for segment in recognizer(batch)
    )


def mixtures(
    model: Path, adapters: dict[str, Path], positions: int
) -> dict[str, dict[str, Callable[[], list[str]]]]:
    """Return the adapted layers of one encoder layer, forward and in training."""
    *frozen, _ = (open_adapter(path) for path in adapters.values())
    lora = add_adapter(
        load_whisper(model), {"r": len(adapters) * RANK}, max_trainable_share=1.0
    )
    networks = {"LoRA": lora.get_base_model()}
    for gate in ("frame", "utterance"):
        conf = MixtureConf(r=RANK, gate=gate)
        mixture = add_mixture(load_whisper(model), frozen, conf)
        networks[f"mixture, {gate} gate"] = mixture.whisper
    layers = {
        name: [
            module
            for key, module in network.model.encoder.layers[0].named_modules()
            if key.rpartition(".")[2] in DEFAULTS["target_modules"]
        ]
        for name, network in networks.items()
    }
    title = f"of rank {len(adapters)} x {RANK}, {positions} positions"
    return {
        f"{kind}, {title}": {
            name: lambda own=own, train=train: run(own, positions, train=train)
            for name, own in layers.items()
        }
        for kind, train in (("forward", False), ("forward and backward", True))
    }


def run(layers: Sequence[nn.Module], positions: int, *, train: bool) -> list[str]:
    for layer in layers:
        columns = layer.base_layer.in_features
        inputs = torch.ones(1, positions, columns, requires_grad=train)
        with torch.set_grad_enabled(train):
            outputs = layer(inputs)
        if train:
            outputs.backward(torch.ones_like(outputs))
            layer.zero_grad()
    return []


def measure(
    ways: dict[str, Callable[[], list[str]]], rounds: int
) -> tuple[dict[str, list[float]], dict[str, list[str]]]:
    """Return seconds of each round, and what was said, of each way."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    said = {name: way() for name, way in ways.items()}  # to warm up
    names = list(ways)
    for number in range(rounds):
        for place in range(len(names)):
            name = names[(number + place) % len(names)]
            start = clock()
            ways[name]()
            seconds[name].append(clock() - start)
    return seconds, said


def clock() -> float:
    """Return CPU seconds; where a GPU works, seconds, for the CPU waits for it."""
    if not torch.cuda.is_initialized():
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def print_table(
    measured: tuple[dict[str, list[float]], dict[str, list[str]]], unit: str
) -> None:
    """Print seconds, ratios to ``unit``, and how many texts are its own."""
    print(f"\n| way | seconds | of {unit} | same texts |\n|---|---|---|---|")
    times, said = measured
    for name, seconds in times.items():
        ratios = [a / b for a, b in zip(seconds, times[unit], strict=True)]
        same = sum(a == b for a, b in zip(said[name], said[unit], strict=True))
        texts = f"{same} of {len(said[unit])}" if said[unit] else "-"
        print(
            f"| {name} | {statistics.median(seconds):.3f} ({min(seconds):.3f} to "
            f"{max(seconds):.3f}) | {statistics.median(ratios):.2f} ({min(ratios):.2f} "
            f"to {max(ratios):.2f}) | {texts} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
