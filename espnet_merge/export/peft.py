"""PEFT's adapter directories, for peft and vLLM."""

import json
from pathlib import Path

from espnet_merge.checkpoint.adapter import read_stored
from espnet_merge.checkpoint.dtypes import FLOATS, check_overflow, to_stored
from espnet_merge.checkpoint.opened import Checkpoint
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
    write_adapter(adapter, directory, dtype)


def write_adapter(adapter: Path, directory: Path, dtype: str | None) -> None:
    """Write an adapter as peft does today: configuration, and weights as safetensors.

    Args:
        adapter: PEFT directory of any age.
        directory: where to write; it exists.
        dtype: of the factors; None keeps theirs.
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
    text = json.dumps(stored.config, indent=2, ensure_ascii=False)
    (directory / ADAPTER_CONFIG).write_text(f"{text}\n", "utf-8")


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
