"""PEFT's adapter directories, for peft and vLLM."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from espnet_merge.checkpoint.adapter import read_stored
from espnet_merge.checkpoint.adapter_config import BASE_NAME
from espnet_merge.checkpoint.dtypes import FLOATS, check_overflow, to_stored
from espnet_merge.checkpoint.hub_names import is_hub_name
from espnet_merge.checkpoint.opened import Checkpoint
from espnet_merge.checkpoint.origin import OPENAI, origin_of
from espnet_merge.checkpoint.safetensors import SafetensorsWriter, read_metadata
from espnet_merge.errors import InputError
from espnet_merge.export.format import Format, Runtime, Source, Transcriber
from espnet_merge.export.generate import generator
from espnet_merge.files import ADAPTER_CONFIG, ADAPTER_WEIGHTS


def write(source: Source, directory: Path, dtype: str | None) -> None:
    """Write the one adapter."""
    if not source.adapters:
        raise InputError(
            "--to peft needs an adapter as INPUT; got a whole model: use --to hf."
        )
    (adapter,) = source.adapters.values()
    write_adapter(adapter, directory, dtype, source.given)


def write_adapter(
    adapter: Path, directory: Path, dtype: str | None, base: Path
) -> None:
    """Write an adapter as peft does today: configuration, and weights as safetensors.

    The configuration names the base as others find it, or not at all: never by a path.

    Args:
        adapter: PEFT directory of any age.
        directory: where to write; it exists.
        dtype: of the factors; None keeps theirs.
        base: model that it was trained on.
    """
    stored = read_stored(adapter)
    file = Checkpoint(adapter, stored.entries, {}, stored.files)
    plan = {
        name: (FLOATS[dtype] if dtype else entry.dtype, entry.shape)
        for name, entry in stored.entries.items()
    }
    held = stored.files[-1]
    metadata = read_metadata(held) if held.suffix == ".safetensors" else {}
    with SafetensorsWriter(
        directory / ADAPTER_WEIGHTS, plan, {"format": "pt", **metadata}
    ) as writer:
        for name, (kind, _) in plan.items():
            values = file.read(name)
            check_overflow(name, values, kind)
            writer.begin(name)
            writer.put(to_stored(values, kind))
    config = {**stored.config, **_named(base, stored.config, adapter)}
    text = json.dumps(config, indent=2, ensure_ascii=False)
    (directory / ADAPTER_CONFIG).write_text(f"{text}\n", "utf-8")


def _named(
    base: Path, config: Mapping[str, Any], adapter: Path
) -> dict[str, str | None]:
    """Return name and commit of the base on the hub, as records or the adapter say."""
    named, origin = str(config.get(BASE_NAME) or ""), origin_of(base)
    # Of an adapter that is not from the hub, "exp/base" may be a path.
    public = named.lower().startswith(OPENAI) or origin_of(adapter)
    if not origin and public and is_hub_name(named):
        return {}
    name, _, commit = origin.partition("@")
    return {BASE_NAME: name or None, "revision": commit or None}


def load(directory: Path, source: Source) -> Transcriber:
    """Return transformers' ``generate``, with the adapter that peft loads."""
    from peft import PeftModel
    from transformers import WhisperForConditionalGeneration

    base = WhisperForConditionalGeneration.from_pretrained(
        source.model, local_files_only=True
    )
    model = PeftModel.from_pretrained(base.float(), directory)
    return generator(model.eval(), source.model)


FORMAT = Format(
    dtypes=(None, "float32", "float16", "bfloat16"),
    runtime=Runtime("peft", "peft"),
    write=write,
    load=load,
    folded=False,
)
