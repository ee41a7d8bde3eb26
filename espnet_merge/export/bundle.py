"""A bundle: one model, many adapters of it, and which one decodes which language.

vLLM serves it: an adapter is a model of its own name to its clients. Source of what it
takes: vLLM 0.33, ``vllm/config/lora.py`` (ranks), ``vllm/lora/peft_helper.py`` (kinds
of adapters); Whisper takes adapters since 0.18 (pull request 29856).
"""

import json
import shlex
from pathlib import Path

from espnet_merge.checkpoint.adapter import open_adapter
from espnet_merge.checkpoint.hf import read_json
from espnet_merge.decode.utterances import Utterance
from espnet_merge.errors import InputError
from espnet_merge.export.format import Format, Runtime, Source, Transcriber
from espnet_merge.export.generate import generator
from espnet_merge.export.hf import write as write_model
from espnet_merge.export.peft import write_adapter
from espnet_merge.export.record import write_record

MODEL, ADAPTERS, MANIFEST = "model", "adapters", "routes.json"
# The ranks that vLLM makes room for.
RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)


def write(source: Source, directory: Path, dtype: str | None) -> None:
    """Write model, adapters and manifest; paths in it start from the directory.

    Raises:
        InputError: there are no adapters, or vLLM cannot serve one.
    """
    if not source.adapters or "" in source.adapters:
        raise InputError(
            "--to bundle needs --adapters NAME=DIR … of the model INPUT; got none."
        )
    ranks = {name: _rank(path) for name, path in source.adapters.items()}
    for part in (MODEL, *(f"{ADAPTERS}/{name}" for name in ranks)):
        (directory / part).mkdir(parents=True)
    write_model(Source(source.model, {}), directory / MODEL, dtype)
    for name, path in source.adapters.items():
        place = directory / ADAPTERS / name
        write_adapter(path, place, dtype, source.given)
        write_record(place, path, source.given, {"to": "peft", "dtype": dtype})
    manifest = {
        "model": MODEL,
        "adapters": {
            name: {"path": f"{ADAPTERS}/{name}", "rank": rank}
            for name, rank in ranks.items()
        },
        "routes": {name: name for name in ranks},
        "fallback": MODEL,
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False)
    (directory / MANIFEST).write_text(f"{text}\n", "utf-8")


def _rank(adapter: Path) -> int:
    """Return the largest rank of a plain LoRA adapter."""
    opened = open_adapter(adapter)
    rank = max(map(opened.rank, opened.scales))
    if rank > RANKS[-1]:
        raise InputError(
            f"{adapter}: vLLM serves ranks up to {RANKS[-1]}; it has {rank}: merge it"
            " to a lower one by 'espnet-merge merge --output-adapter RANK'."
        )
    return rank


def serving(directory: Path) -> str:
    """Return the command that serves a bundle by vLLM."""
    adapters = read_json(directory / MANIFEST)["adapters"]
    rank = max(adapter["rank"] for adapter in adapters.values())
    modules = [f"{name}={directory / one['path']}" for name, one in adapters.items()]
    words = [
        *("vllm", "serve", str(directory / MODEL), "--enable-lora"),
        *("--lora-modules", *modules),
        *("--max-loras", str(len(adapters))),
        *("--max-lora-rank", str(next(x for x in RANKS if x >= rank))),
    ]
    return shlex.join(words)


def load(directory: Path, source: Source) -> Transcriber:
    """Return transformers with peft, which turns to the adapter of each utterance."""
    from peft import PeftModel
    from transformers import WhisperForConditionalGeneration

    manifest = read_json(directory / MANIFEST)
    base = WhisperForConditionalGeneration.from_pretrained(
        directory / manifest["model"], local_files_only=True
    )
    (first, *_) = adapters = manifest["adapters"]
    place = directory / adapters[first]["path"]
    model = PeftModel.from_pretrained(base.float(), place, adapter_name=first)
    for name, adapter in adapters.items():
        if name != first:
            model.load_adapter(directory / adapter["path"], adapter_name=name)
    generate = generator(model.eval(), directory / manifest["model"])

    def transcribe(utterance: Utterance) -> str:
        route = manifest["routes"].get(utterance.language)
        if route is None:
            with model.disable_adapter():
                return generate(utterance)
        model.set_adapter(route)
        return generate(utterance)

    return transcribe


FORMAT = Format(
    dtypes=(None, "float32", "float16", "bfloat16"),
    runtime=Runtime("peft", "peft"),
    write=write,
    load=load,
    folded=False,
)
