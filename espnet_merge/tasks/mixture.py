"""Build the mixture of LoRA experts that the task's options describe."""

import argparse
from typing import Any

from transformers import WhisperForConditionalGeneration

from espnet_merge.errors import InputError
from espnet_merge.lora.mixture import Mixture, add_mixture
from espnet_merge.lora.mixture_conf import experts_sha256, open_experts
from espnet_merge.tasks.warm_start import AUTO, ranked_adapters


def start_mixture(
    whisper: WhisperForConditionalGeneration, args: argparse.Namespace
) -> Mixture:
    """Freeze ``whisper`` and add the mixture of ``mixture_conf`` to it.

    The option is changed to hold the experts and their digests. ESPnet writes it into
    ``config.yaml``, so that resuming and exporting use the same experts or fail.

    Args:
        whisper: the base; changed in place.
        args: of ``WhisperTask``; ``mixture_conf`` gains ``sha256``. Its ``adapters``
            may be ``auto``, which means those of ``init_adapters``, or only the
            ``nearest`` ones of the most similar languages.

    Raises:
        InputError: ``lora`` is set as well, or the option does not describe a mixture.
    """
    if args.lora:
        raise InputError(
            "mixture_conf trains an adapter of its own, so that lora must be false; it "
            "is true: remove one of the two."
        )
    if args.mixture_conf.get("adapters") == AUTO:
        args.mixture_conf = _with_nearest(whisper, args)
    adapters, conf = open_experts(args.mixture_conf)
    mixture = add_mixture(whisper, adapters, conf)
    args.mixture_conf["sha256"] = experts_sha256(adapters)
    return mixture


def _with_nearest(
    whisper: WhisperForConditionalGeneration, args: argparse.Namespace
) -> dict[str, Any]:
    conf = dict(args.mixture_conf)
    ranked = list(ranked_adapters(args, whisper).values())
    count = conf.pop("nearest", len(ranked))
    if not isinstance(count, int) or not 1 <= count <= len(ranked):
        raise InputError(
            f"mixture_conf.nearest must be 1 to {len(ranked)}, for there are so many "
            f"init_adapters; got {count!r}."
        )
    return {**conf, "adapters": [str(path) for path in ranked[:count]]}
