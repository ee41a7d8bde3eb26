"""Hugging Face directories, for transformers and all that loads by it."""

import shutil
from pathlib import Path

from espnet_merge.checkpoint.hf import open_hf
from espnet_merge.checkpoint.output import Output, copy_weights, dtype_of
from espnet_merge.checkpoint.side_files import side_files
from espnet_merge.export.format import Format, Runtime, Source, Transcriber
from espnet_merge.export.generate import generator


def write(source: Source, directory: Path, dtype: str | None) -> None:
    """Write the weights, and all that stands beside them."""
    model = open_hf(source.model)
    output = Output("hf", [model])
    copy_weights(model, output, directory, dtype)
    output.copy_side_files(directory, dtype or dtype_of(model))
    for file in side_files(source.model):
        if not (directory / file.name).exists():
            shutil.copyfile(file, directory / file.name)


def load(directory: Path, source: Source) -> Transcriber:
    """Return transformers' ``generate`` of the exported model."""
    from transformers import WhisperForConditionalGeneration

    model = WhisperForConditionalGeneration.from_pretrained(
        directory, local_files_only=True
    )
    return generator(model.eval().float(), directory)


FORMAT = Format(
    dtypes=(None, "float32", "float16", "bfloat16"),
    runtime=Runtime("transformers", "transformers"),
    write=write,
    load=load,
)
