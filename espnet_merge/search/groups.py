"""Which tensors share the weights of their experts, and what names such a group."""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Literal

from espnet_merge.checkpoint.roles import layer_of

type Groups = Literal["model", "layer", "tensor"]


def groups_of(names: Iterable[str], groups: Groups) -> dict[str, list[str]]:
    r"""Return the names of each group, by a pattern that is found in them alone.

    A module outside the layers, such as the token embedding, is a group of its own.

    Args:
        names: of tensors.
        groups: the whole model, each layer, or each tensor.

    Example:
        >>> found = groups_of(["encoder.layers.1.fc1.bias", "conv1.bias"], "layer")
        >>> for pattern, names in found.items():
        ...     print(pattern, *names)
        ^encoder\.layers\.1\. encoder.layers.1.fc1.bias
        ^conv1\. conv1.bias
    """
    found = defaultdict(list)
    for name in names:
        found[_pattern(name, groups)].append(name)
    return dict(found)


def _pattern(name: str, groups: Groups) -> str:
    stack, layer = layer_of(name)
    match groups:
        case "model":
            return "^"
        case "layer":
            start = name.rpartition(".")[0] if layer is None else f"{stack}.{layer}"
            return f"^{re.escape(start)}\\."
        case "tensor":
            return f"^{re.escape(name)}$"


def title_of(pattern: str) -> str:
    r"""Return what a group is called for short.

    Example:
        >>> title_of(r"^model\.encoder\.layers\.1\."), title_of("^")
        ('encoder.layers.1', 'model')
    """
    plain = pattern.strip("^$").replace("\\", "").strip(".").removeprefix("model.")
    return plain or "model"
