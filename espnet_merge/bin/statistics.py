r"""Collect the data statistics of an expert, which fisher and regmean weight by.

Runs the expert over a Kaldi data directory with texts and writes statistics.safetensors
(--kind fisher: mean squared gradients of every weight; --kind gram: products of the
inputs of every linear layer) and statistics.yaml (what they are of). A killed run goes
on where it was; what is there already is kept.

For example:
  espnet-merge statistics --kind gram --model exp/full_es/model \
    --data dump/raw/es_valid --output exp/full_es/gram
  espnet-merge merge --method regmean --base exp/base \
    --experts exp/full_es/model exp/full_it/model --output exp/regmean/model \
    --set statistics=[exp/full_es/gram,exp/full_it/gram]
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("--kind", choices=("fisher", "gram"), required=True, help="for which method")
    add("--model", type=Path, required=True, help="Hugging Face Whisper directory")
    add("--adapter", type=Path, help="LoRA adapter directory, trained on that model")
    add("--data", type=Path, required=True, metavar="DATADIR", help="with text")
    add("--output", type=Path, required=True, metavar="DIR", help="directory to write")
    add("--overwrite", action="store_true", help="replace other statistics in --output")
    add("--utterances", type=int, help="take at most so many, at equal distances (all)")
    add(
        "--labels",
        choices=("reference", "model"),
        default="reference",
        help="of fisher: the texts, or tokens drawn from the model (%(default)s)",
    )
    add(
        "--pad-to",
        type=float,
        help="seconds to pad to; 30: Whisper's own, 0: true length (as the model was "
        "trained, by the record beside it)",
    )
    add("--tail", type=float, help="seconds of silence after each (the same)")
    add("--batch-size", type=int, help="of gram: utterances in one pass (8)")
    add("--language", help="of all utterances (each one's in utt2lang)")
    add("--task", help="transcribe or translate (each one's in utt2task)")
    add("--device", choices=("cpu", "cuda"), default="cpu", help="%(default)s")
    add("--threads", type=int, default=1, help="of the CPU (%(default)s)")


def main(args: argparse.Namespace) -> None:
    """Collect, or leave as it is what is there."""
    from espnet_merge.checkpoint.labels import warn_of_labels
    from espnet_merge.checkpoint.padding import PUBLISHED, Padding, padding_of
    from espnet_merge.statistics.collect import StatisticsSettings, collect

    values = dict(vars(args))
    model, data, output = (values.pop(key) for key in ("model", "data", "output"))
    adapter, overwrite = values.pop("adapter"), values.pop("overwrite")
    warn_of_labels("statistics", [model, *filter(None, [adapter])])
    values = {name: value for name, value in values.items() if value is not None}
    if not values.keys() & set(Padding._fields):
        values |= (padding_of(adapter or model) or PUBLISHED)._asdict()
    collect(
        model, data, output, StatisticsSettings(**values), adapter, overwrite=overwrite
    )
