"""Transcribe (or translate) a Kaldi data directory with a Whisper.

Several data directories, with as many outputs, are decoded by one loaded model.
Writes `text` (Kaldi) and `text.json` (settings, and for each utterance its score,
language, repeats) into the output directory. A killed run goes on where it was; the
jobs of an array take a --shard each, and the same command without --shard joins them.
Recordings longer than 30 s are cut where nobody speaks, and joined again.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

from espnet_merge.disk.cache import default_cache
from espnet_merge.errors import InputError
from espnet_merge.whisper.fetched import as_directory


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; those of a configuration file have no default here."""
    add = parser.add_argument
    add(
        "--model",
        type=Path,
        required=True,
        help="Whisper: directory of Hugging Face or CTranslate2, or OpenAI's .pt",
    )
    add(
        "--adapter",
        type=Path,
        help="directory of a LoRA adapter or a mixture of them, trained on that model",
    )
    add(
        "--adapters",
        nargs="+",
        metavar="LANGUAGE=DIR",
        help="an adapter for each language; utterances of all go into one batch",
    )
    add(
        "--fallback",
        metavar="none|LANGUAGE|DIR",
        help="for utterances of other languages, or below --min-confidence: the model "
        "alone, the adapter of a language, or another adapter",
    )
    add(
        "--data",
        type=Path,
        nargs="+",
        required=True,
        metavar="DATADIR",
        help="Kaldi data directories with wav.scp",
    )
    add(
        "--output",
        type=Path,
        nargs="+",
        required=True,
        metavar="DIR",
        help="directories for text and text.json, one for each --data",
    )
    add("--config", type=Path, help="YAML file of the settings below")
    add(
        "--overwrite",
        action="store_true",
        help="replace hypotheses made with other settings (same settings: kept, unless "
        "the model has changed in its place)",
    )
    add(
        "--shard",
        metavar="I/N",
        help="decode part I of N and keep it in --output, for job arrays; run without "
        "--shard afterwards, which writes the hypotheses",
    )
    group = parser.add_argument_group("settings", "over those of --config")

    def setting(name: str, kind: Callable[[str], object], text: str) -> None:
        group.add_argument(name, type=kind, default=argparse.SUPPRESS, help=text)

    def switch(name: str, text: str) -> None:
        group.add_argument(
            name, action="store_true", default=argparse.SUPPRESS, help=text
        )

    setting("--pad-to", float, "seconds to pad to; 30: as trained, 0: true length (30)")
    setting("--tail", float, "seconds of silence after each utterance (0)")
    setting("--beam", int, "beams; 1: greedy search (1)")
    switch(
        "--early-stopping", "end with as many texts as beams, as Whisper's own search"
    )
    setting("--batch-size", int, "utterances decoded together (8)")
    setting("--language", str, "of all utterances, or auto (each one's in utt2lang)")
    setting("--languages", codes, "that auto chooses from, such as es,it,ru (all)")
    setting("--task", str, "transcribe or translate (each one's in utt2task)")
    setting(
        "--min-confidence",
        float,
        "probability of auto's language below which --fallback decodes (never)",
    )
    switch("--timestamps", "say when each part of a text is spoken, in text.json")
    setting(
        "--temperatures",
        _numbers,
        "draw a text that fails anew, such as 0.2,0.4,0.6,0.8,1 (never)",
    )
    setting("--max-compression", float, "by zlib, above which a text fails (2.4)")
    setting("--min-log-probability", float, "a token, below which a text fails (-1)")
    setting(
        "--no-speech",
        float,
        "above this probability a text that fails is silence, such as 0.6 (never)",
    )
    setting("--max-new-tokens", int, "cut texts here (224)")
    setting("--device", str, "cpu or cuda (cpu)")
    setting("--backend", str, "torch or ctranslate2 (torch)")
    setting("--dtype", str, "float32, float16, bfloat16; ctranslate2: int8 (float32)")
    setting("--threads", int, "of the CPU (1)")


def codes(text: str) -> list[str]:
    """Split codes at commas; no text is no code."""
    return text.split(",") if text else []


def _numbers(text: str) -> list[float]:
    return [float(number) for number in text.split(",")]


def main(args: argparse.Namespace) -> None:
    """Decode each data directory.

    Raises:
        InputError: as many outputs as data directories are needed.
    """
    from espnet_merge.decode.routes import read_routes
    from espnet_merge.decode.settings import read_settings
    from espnet_merge.decode.transcribe import transcribe
    from espnet_merge.job_array import parse_shard

    values = dict(vars(args))
    model, adapter, data = (values.pop(key) for key in ("model", "adapter", "data"))
    output, config = values.pop("output"), values.pop("config")
    overwrite, shard = values.pop("overwrite"), values.pop("shard")
    adapters, fallback = values.pop("adapters"), values.pop("fallback")
    settings = read_settings(config, values)
    if adapters is None:
        if fallback is not None or settings.min_confidence is not None:
            raise InputError(
                "--fallback and --min-confidence need --adapters, from which they "
                "choose: name those, or drop these."
            )
        routes = None
    elif adapter is not None:
        raise InputError("--adapter and --adapters exclude each other: give one.")
    else:
        routes = read_routes(adapters, fallback, settings)
    if len(data) != len(output):
        raise InputError(
            f"--output must name one directory for each --data; got {len(output)} for "
            f"{len(data)}."
        )
    sets = list(zip(data, output, strict=True))
    model = as_directory(model, default_cache())
    transcribe(
        model,
        sets,
        settings,
        adapter,
        routes,
        overwrite=overwrite,
        shard=shard and parse_shard(shard),
    )
