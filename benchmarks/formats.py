#!/usr/bin/env python3
"""Each format in, each format out: exported, and decoded in its runtime.

    benchmarks/formats.py --model exp/base --data dump/raw/en_test --work WORK

A Whisper is written in each format that is read, and an adapter of it, which is random
and of rank 32. Each is exported to each format, and the runtime of that decodes ten
utterances of real speech, whose texts are compared with ours. Exports of the same bytes
as one before are not decoded again. One thread; exports of hf are each a process of its
own, whose seconds are told: up to the written directory, imports included. WORK keeps
what was done, so that a run that was stopped goes on. With --silence the utterances are
of 30 s before a runtime gets them: what it pads with is then no difference.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from measure import OFFLINE, ONE_THREAD

if TYPE_CHECKING:
    from espnet_merge.decode.utterances import Utterance

MODELS = ("hf", "bin", "shards", "lightning", "openai", "ctranslate2", "espnet")
ADAPTERS = ("peft", "peft .bin")
INPUTS = (*MODELS, *ADAPTERS)
OUTPUTS = (
    *("hf", "hf float16", "openai", "ctranslate2", "ctranslate2 int8", "ggml", "onnx"),
    *("peft", "bundle"),
)
LANGUAGES = ("en", "es")  # of the adapters in a bundle
RESULTS = "results.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--model", type=Path, required=True, help="Hugging Face Whisper directory")
    add("--data", type=Path, required=True, help="Kaldi data directory")
    add("--work", type=Path, required=True, help="for what is written; kept")
    add("--silence", action="store_true", help="pad utterances with silence to 30 s")
    add("--inputs", nargs="+", choices=INPUTS, default=INPUTS)
    add("--outputs", nargs="+", choices=OUTPUTS, default=OUTPUTS)
    add("--cells", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.silence and not args.cells:
        args.work /= "silence"
    args.work.mkdir(parents=True, exist_ok=True)
    if args.cells:
        for cell in args.cells:
            given, _, out = cell.partition(" -> ")
            note(args.work, cell, measured(given, out, args))
        return
    for language in LANGUAGES:
        adapter(language, args.model, args.work)
    for given in args.inputs:
        cells = [
            cell
            for out in args.outputs
            if possible(given, out)
            and (cell := f"{given} -> {out}") not in known(args.work)
        ]
        alone = given in ("hf", "peft")
        for part in [[cell] for cell in cells] if alone else [cells] if cells else []:
            run(part, args)
    print("\n".join(table(known(args.work), args.inputs, args.outputs)))


def possible(given: str, out: str) -> bool:
    """Return whether a format holds what is given: a whole model, or an adapter."""
    return (given in ADAPTERS, out) not in ((False, "peft"), (True, "bundle"))


def known(work: Path) -> dict:
    file = work / RESULTS
    return json.loads(file.read_text()) if file.exists() else {}


def note(work: Path, cell: str, found: dict) -> None:
    (work / RESULTS).write_text(json.dumps(known(work) | {cell: found}, indent=1))


def run(cells: list[str], args: argparse.Namespace) -> None:
    words = ["--model", args.model, "--data", args.data, "--work", args.work]
    words += ["--silence"] if args.silence else []
    process = subprocess.run(
        [sys.executable, __file__, *map(str, words), "--cells", *cells],
        env={**os.environ, **ONE_THREAD, **OFFLINE},
        stderr=subprocess.PIPE,
        text=True,
    )
    if process.returncode:
        last = process.stderr.strip().splitlines()[-1:]
        sys.exit(f"formats.py: error: {cells}: {''.join(last)}")


def measured(given: str, out: str, args: argparse.Namespace) -> dict:
    """Export, take the time of that, and decode."""
    path, base = written(given, args.model, args.work)
    many = {x: adapter(x, args.model, args.work) for x in LANGUAGES}
    adapters = many if out == "bundle" else {}
    output = args.work / "out"
    shutil.rmtree(output, ignore_errors=True)
    name, _, dtype = out.partition(" ")
    start, began = time.monotonic(), time.process_time()
    if given in ("hf", "peft"):  # a process of its own, with its imports
        began = 0.0
    from espnet_merge.export.export import export_to

    export_to(name, path, output, dtype=dtype or None, base=base, adapters=adapters)
    wall, cpu = time.monotonic() - start, time.process_time() - began
    files = [file for file in sorted(output.rglob("*")) if file.is_file()]
    digest = digest_of(files)
    for cell, found in known(args.work).items():
        if found["digest"] == digest and cell.endswith(f" -> {out}"):
            decoded = {key: found[key] for key in ("runtime", "pairs", "seconds")}
            return {**decoded, "like": cell, "digest": digest, "wall": wall, "cpu": cpu}
    return {
        **decode(name, path, base, adapters, output, args),
        "digest": digest,
        "wall": wall,
        "cpu": cpu,
        "mb": sum(file.stat().st_size for file in files) / 1e6,
    }


def digest_of(files: list[Path]) -> str:
    """Return the digest of an export, but for what says where it came from."""
    digest = hashlib.sha256()
    for file in files:
        if file.name not in ("export.yaml", "README.md"):
            digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def decode(
    name: str,
    path: Path,
    base: Path | None,
    adapters: dict[str, Path],
    output: Path,
    args: argparse.Namespace,
) -> dict:
    """Decode ten utterances in the runtime and, once for what is exported, here."""
    from espnet_merge.export.check import texts_here, texts_there, utterances_of
    from espnet_merge.export.formats import format_of
    from espnet_merge.export.source import open_source

    alone = (path / "adapter_config.json").is_file()
    group = "bundle" if adapters else "adapter" if alone else "model"
    here = args.work / f"here_{group}.json"
    with open_source(path, base, adapters) as source:
        utterances = utterances_of(args.data, source.model)
        if args.silence:
            utterances = [padded(one, args.work) for one in utterances]
        if not here.exists():
            here.write_text(json.dumps(texts_here(source, utterances)))
        ours = json.loads(here.read_text())
        start = time.process_time()
        theirs = texts_there(format_of(name), output, source, utterances)
    return {
        "runtime": str(format_of(name).runtime),
        "pairs": {one: (ours[one], theirs[one]) for one in ours},
        "seconds": (time.process_time() - start) / len(ours),
    }


def padded(utterance: "Utterance", work: Path) -> "Utterance":
    """Return an utterance with silence after it, up to Whisper's window of 30 s."""
    import numpy as np
    import soundfile

    from espnet_merge.decode.utterances import read_audio
    from espnet_merge.speech import SAMPLE_RATE, WINDOW

    audio = np.zeros(int(SAMPLE_RATE * WINDOW), np.float32)
    audio[: utterance.samples] = read_audio(utterance)
    file = work / f"{utterance.name}.wav"
    soundfile.write(file, audio, SAMPLE_RATE, "FLOAT")
    return utterance._replace(audio=file, samples=len(audio), start=0)


def written(given: str, model: Path, work: Path) -> tuple[Path, Path | None]:
    """Return the model or adapter in a format, and its base if that must be told."""
    if given in ADAPTERS:
        return adapter(LANGUAGES[0], model, work, old=given == "peft .bin"), model
    if given == "hf":
        return model, None
    place = work / given
    file = place / {"openai": "model.pt", "espnet": "model.pth"}.get(given, "")
    if not place.exists():
        WRITERS[given](model, place)
    if given == "lightning":
        file = place / "last.ckpt"
    return file, model if given in ("espnet", "lightning") else None


def write_bin(model: Path, place: Path, shards: int = 1) -> None:
    """Write what transformers wrote until 2023."""
    import torch
    from safetensors.torch import load_file

    from espnet_merge.files import FETCH_JSON

    weights = load_file(model / "model.safetensors")
    weights["proj_out.weight"] = weights["model.decoder.embed_tokens.weight"]
    ignore = shutil.ignore_patterns("*.safetensors", FETCH_JSON)
    shutil.copytree(model, place, ignore=ignore)
    if shards == 1:
        torch.save(weights, place / "pytorch_model.bin")
        return
    where = {}
    for number in range(shards):
        name = f"pytorch_model-{number + 1:05}-of-{shards:05}.bin"
        part = dict(list(weights.items())[number::shards])
        torch.save({key: value.clone() for key, value in part.items()}, place / name)
        where |= dict.fromkeys(part, name)
    index = {"metadata": {}, "weight_map": where}
    (place / "pytorch_model.bin.index.json").write_text(json.dumps(index))


def write_shards(model: Path, place: Path) -> None:
    write_bin(model, place, 3)


def write_lightning(model: Path, place: Path) -> None:
    """Write a checkpoint of Lightning, with a wrapped model and the state around it."""
    import torch
    from safetensors.torch import load_file

    place.mkdir()
    weights = load_file(model / "model.safetensors")
    state = {f"model.{name}": value for name, value in weights.items()}
    torch.save({"epoch": 1, "state_dict": state}, place / "last.ckpt")


def write_exported(model: Path, place: Path) -> None:
    import espnet_merge as em

    em.export(source=model, to=place.name, output=place)


def write_espnet(model: Path, place: Path) -> None:
    """Write ESPnet's own Whisper: a soup of one expert, whose base is another."""
    import espnet_merge as em

    work, other = place.parent, place.parent / "other"
    lora = adapter(LANGUAGES[0], model, work)
    em.export(source=lora, to="hf", base=model, output=other, overwrite=True)
    em.merge(method="soup", base=other, experts=[model], format="espnet", output=place)


WRITERS = {
    "bin": write_bin,
    "shards": write_shards,
    "lightning": write_lightning,
    "openai": write_exported,
    "ctranslate2": write_exported,
    "espnet": write_espnet,
}


def adapter(language: str, model: Path, work: Path, *, old: bool = False) -> Path:
    """Return an adapter, written once; an old one has its weights in a .bin file."""
    place = work / f"adapter_{language}"
    if not place.exists():
        write_adapter(model, place, LANGUAGES.index(language))
    if not old:
        return place
    copy = work / f"{place.name}_bin"
    if not copy.exists():
        write_old_adapter(place, copy)
    return copy


def write_old_adapter(place: Path, copy: Path) -> None:
    """Write an adapter as peft did until 2023."""
    import torch
    from safetensors.torch import load_file

    shutil.copytree(place, copy)
    weights = load_file(copy / "adapter_model.safetensors")
    (copy / "adapter_model.safetensors").unlink()
    torch.save(weights, copy / "adapter_model.bin")


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


def table(results: dict, inputs: list[str], outputs: list[str]) -> list[str]:
    """Return the matrix, what each export of hf costs, and texts that differ."""
    lines = [f"| from | {' | '.join(outputs)} |", "|---" * (len(outputs) + 1) + "|"]
    differing = []
    for given in inputs:
        cells = []
        for out in outputs:
            found = results.get(f"{given} -> {out}")
            if found is None:
                cells.append("" if possible(given, out) else "–")
                continue
            pairs = found["pairs"]
            odd = {one: pair for one, pair in pairs.items() if len(set(pair)) > 1}
            same = f"{len(pairs) - len(odd)} of {len(pairs)}"
            cells.append(f"{same}, same bytes" if "like" in found else same)
            if "like" not in found:
                differing += [
                    f"{given} -> {out}: {one}: {ours!r} here, {theirs!r} there"
                    for one, (ours, theirs) in odd.items()
                ]
        lines.append(f"| {given} | {' | '.join(cells)} |")
    lines += ["", "| export | wall s | CPU s | MB | runtime | CPU s an utterance |"]
    lines += ["|---" * 6 + "|"]
    for out in outputs:
        name = "peft -> peft" if out == "peft" else f"hf -> {out}"
        if found := results.get(name):
            lines.append(
                f"| {out} | {found['wall']:.0f} | {found['cpu']:.0f}"
                f" | {found['mb']:.0f} | {found['runtime']} | {found['seconds']:.1f} |"
            )
    return [*lines, "", *differing]


if __name__ == "__main__":
    main()
