r"""Initialise the adapter of a new language from that of a trained language.

.. math::
    A' = \begin{pmatrix} A \\ A_0 \end{pmatrix}, \qquad
    B' = \frac{s}{s'} \begin{pmatrix} B & 0 \end{pmatrix}, \qquad
    s' B' A' = s B A

A (r, columns) and B (rows, r) are those of the trained adapter, s is its scale
:math:`\alpha / r` (:math:`\alpha / \sqrt r` for rsLoRA). :math:`A_0` holds the
additional rows of the new adapter. They are initialised as by LoRA, so that they learn
from the first step on. With equal rank and scale A and B are copied bit by bit.

Source: Song et al., *LoRA-Whisper*, Interspeech 2024, Sec. 3.2,
https://arxiv.org/abs/2406.06619. Departures: other ranks and scales, which the paper
does not mention. A smaller rank is refused, because it would lose part of the adapter.
"""

from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from peft import PeftModel, get_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from torch import nn

from espnet_merge.checkpoint.lora_defaults import moves_base
from espnet_merge.errors import InputError
from espnet_merge.lora.adapter import base_digest, fill, read_adapter
from espnet_merge.lora.similarity import Nearest, ranked, read_similarity

NEW, SOURCE = "default", "source"  # peft's names of the two adapters


def warm_start(model: PeftModel, directory: Path) -> None:
    """Make the new adapter of ``model`` compute what the trained one does.

    Args:
        model: with a new adapter, which stays trainable.
        directory: PEFT adapter directory, trained on the same base.

    Raises:
        InputError: the files are bad; the trained adapter has another base, changes its
            base, has other modules or another kind; or its rank is larger.
    """
    config, weights = read_adapter(directory, model.get_base_model())
    if moves_base(vars(config)):
        raise InputError(
            f"{directory}: a warm start needs an adapter that leaves its base alone; "
            f"init_lora_weights is {config.init_lora_weights}: convert it with peft."
        )
    model.add_adapter(SOURCE, config)
    fill(model, weights, directory, SOURCE)
    _check_same_places(model, directory)
    for name, layer in model.named_modules():
        if isinstance(layer, LoraLayer):
            if layer.r[SOURCE] > layer.r[NEW]:
                raise InputError(
                    f"{directory}: a warm start needs at least the trained adapter's "
                    f"rank, {layer.r[SOURCE]}; got {layer.r[NEW]} at {name}: raise "
                    "lora_conf.r."
                )
            _copy(layer)
    model.delete_adapter(SOURCE)


def ranking(
    language: str, trained: Collection[str], similarity: Path, base: nn.Module
) -> list[Nearest]:
    """Return the trained languages, the most similar to a new one first.

    Args:
        language: the new one.
        trained: languages that have an adapter.
        similarity: what ``espnet-merge similarity`` wrote.
        base: the Whisper that the similarity must have been measured with.

    Raises:
        InputError: the similarity is of another base, or a language is missing.
    """
    measured = read_similarity(similarity)
    if measured["base_sha256"] != (found := base_digest(base)):
        raise InputError(
            f"{similarity}: must be measured with the base that is trained (digest "
            f"{found[:12]}); it is of {measured['base_sha256'][:12]}: run "
            "espnet-merge similarity with that --model."
        )
    rows: Mapping[str, Mapping[str, float]] = measured["similarity"]
    if language not in rows:
        raise InputError(
            f"{similarity}: must have a row of {language}; it has {', '.join(rows)}: "
            f"run espnet-merge similarity with --data of {language}."
        )
    return ranked(rows[language], trained)


def _check_same_places(model: PeftModel, directory: Path) -> None:
    new, source = (
        set(get_peft_model_state_dict(model, adapter_name=n)) for n in (NEW, SOURCE)
    )
    if odd := sorted(new ^ source):
        raise InputError(
            f"{directory}: a warm start needs the trained adapter's target_modules and "
            f"kind, as in its adapter_config.json; {len(odd)} differ, first {odd[0]}."
        )


@torch.no_grad()
def _copy(layer: LoraLayer) -> None:
    rank = layer.r[SOURCE]
    ratio = layer.scaling[SOURCE] / layer.scaling[NEW]
    a, b = layer.lora_A, layer.lora_B
    a[NEW].weight[:rank] = a[SOURCE].weight
    b[NEW].weight.zero_()
    b[NEW].weight[:, :rank] = ratio * b[SOURCE].weight
    if layer.lora_bias[NEW]:
        b[NEW].bias.copy_(ratio * b[SOURCE].bias)
    if NEW in layer.lora_magnitude_vector:  # DoRA's norms, of base and delta together
        magnitudes = layer.lora_magnitude_vector
        magnitudes[NEW].weight.copy_(magnitudes[SOURCE].weight)
