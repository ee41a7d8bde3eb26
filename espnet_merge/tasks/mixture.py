"""A mixture of LoRA experts to train, by the options of the task."""

import argparse

from transformers import WhisperForConditionalGeneration

from espnet_merge.errors import InputError
from espnet_merge.lora.mixture import Mixture, add_mixture
from espnet_merge.lora.mixture_conf import experts_sha256, open_experts


def start_mixture(
    whisper: WhisperForConditionalGeneration, args: argparse.Namespace
) -> Mixture:
    """Freeze ``whisper`` and put the mixture of ``mixture_conf`` on it.

    The option then holds the experts' digests, too, and ESPnet writes them into
    ``config.yaml``: resuming and exporting take the same experts or refuse.

    Args:
        whisper: the base; changed in place.
        args: of ``WhisperTask``; ``mixture_conf`` gains ``sha256``.

    Raises:
        InputError: ``lora`` is asked for, too, or the option is not a mixture.
    """
    if args.lora:
        raise InputError(
            "mixture_conf trains an adapter of its own, so that lora must be false; it "
            "is true: remove one of the two."
        )
    adapters, conf = open_experts(args.mixture_conf)
    mixture = add_mixture(whisper, adapters, conf)
    args.mixture_conf["sha256"] = experts_sha256(adapters)
    return mixture
