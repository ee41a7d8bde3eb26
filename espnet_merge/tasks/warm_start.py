"""Choose the trained adapter that a training starts from, by its options."""

import argparse
import logging
from collections.abc import Mapping
from pathlib import Path

from peft import PeftModel
from torch import nn

from espnet_merge.checkpoint.adapter import read_stored
from espnet_merge.data.table import read_table
from espnet_merge.disk.digest import sha256
from espnet_merge.errors import InputError
from espnet_merge.lora.warm_start import ranking, warm_start
from espnet_merge.whisper.fetched import languages_of
from espnet_merge.whisper.prompt import check_language

AUTO, LEAST = "auto", "least"  # the most and the least similar


def start_warm(model: PeftModel, args: argparse.Namespace) -> None:
    """Initialise the new adapter of ``model`` from the one that the options name.

    The options are changed to name its directory and digest. ESPnet writes them into
    ``config.yaml``, so that a training with that file starts from the same adapter or
    fails.

    Args:
        model: with a new adapter.
        args: of ``WhisperTask``; ``init_adapter`` and ``init_adapter_sha256`` are set.

    Raises:
        InputError: the options do not name an adapter, or it does not fit.
    """
    directory = _find(model, args)
    warm_start(model, directory)
    digest = sha256(read_stored(directory).files[1])
    if args.init_adapter_sha256 not in (None, digest):
        raise InputError(
            f"{directory}: the warm start's weights must have SHA-256 "
            f"{args.init_adapter_sha256[:12]}; they have {digest[:12]}: restore that "
            "adapter, or drop init_adapter_sha256."
        )
    logging.info(f"warm start: from {directory} (SHA-256 {digest[:12]})")
    args.init_adapter, args.init_adapter_sha256 = str(directory), digest


def ranked_adapters(args: argparse.Namespace, base: nn.Module) -> dict[str, Path]:
    """Return the adapters of ``init_adapters`` by language, the most similar first.

    Args:
        args: of ``WhisperTask``; the training data tell the new language.
        base: the Whisper that ``init_similarity`` must have been measured with.

    Raises:
        InputError: there are no adapters to choose from, no similarity, or several
            languages in the training data.
    """
    adapters: Mapping[str, str] = args.init_adapters
    if not adapters or args.init_similarity is None:
        raise InputError(
            f"an adapter chosen by similarity ({AUTO}, {LEAST}) needs init_adapters, "
            "language by language, and init_similarity, the file of espnet-merge "
            f"similarity; got {adapters or 'none'} and "
            f"{args.init_similarity or 'none'}."
        )
    language = _trained_language(args)
    nearest = ranking(language, set(adapters), Path(args.init_similarity), base)
    listed = ", ".join(f"{code} {fraction:.1%}" for code, fraction in nearest)
    logging.info(f"similarity of trained languages to {language}: {listed}")
    return {code: Path(adapters[code]) for code, _ in nearest}


def _find(model: PeftModel, args: argparse.Namespace) -> Path:
    adapters: Mapping[str, str] = args.init_adapters
    for code in adapters:
        check_language(code, languages_of(Path(args.whisper)))
    if args.init_adapter in (AUTO, LEAST):
        found = list(ranked_adapters(args, model.get_base_model()).values())
        return found[0 if args.init_adapter == AUTO else -1]
    return Path(adapters.get(args.init_adapter, args.init_adapter))


def _trained_language(args: argparse.Namespace) -> str:
    """Return the language of the training data."""
    tables = [
        Path(path)
        for path, name, _ in args.train_data_path_and_name_and_type
        if name == "lang"
    ]
    languages = sorted({code for path in tables for code in read_table(path).values()})
    if len(languages) != 1:
        raise InputError(
            "a choice by similarity needs training data of one language; it is of "
            f"{', '.join(languages)}: name the adapter instead."
        )
    return languages[0]
