"""The models that a training starts from, wherever they are."""

import argparse

from espnet_merge.whisper.source import local_model


def find_models(args: argparse.Namespace) -> None:
    """Put the copies that are downloaded in place of names on the hub.

    ESPnet writes the options into ``config.yaml``. The path of a copy tells repository
    and commit, so that a training that goes on starts from the same model.

    Args:
        args: of ``WhisperTask``.

    Raises:
        InputError: the hub does not give a model.
    """
    for name in ("whisper", "init_adapter"):
        if given := getattr(args, name):
            setattr(args, name, str(local_model(given)))
    args.init_adapters = {
        language: str(local_model(adapter))
        for language, adapter in args.init_adapters.items()
    }
    adapters = args.mixture_conf.get("adapters")
    if isinstance(adapters, list):
        found = [str(local_model(str(adapter))) for adapter in adapters]
        args.mixture_conf = {**args.mixture_conf, "adapters": found}
