"""Which layers conflict: where gradients of objectives have a negative cosine."""

import itertools
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from espnet_merge.objectives.conf import Layers


def mean_cosine(gram: Tensor, groups: Iterable[Sequence[int]]) -> float:
    r"""Return the mean cosine over the pairs of objectives within a group.

    .. math:: \frac{1}{|P|} \sum_{(i, j) \in P}
        \frac{\langle g_i, g_j \rangle}{\|g_i\| \|g_j\|}

    A layer conflicts if its mean is negative. Source: Saif et al. 2025. Pairing only
    objectives of the same level, which the solver weights together, is our choice.

    Args:
        gram: (M, M) inner products of the gradients on one layer.
        groups: objectives by index, level by level.

    Returns:
        A number in [-1, 1]; NaN if there is no pair of nonzero gradients.
    """
    lengths = gram.diagonal().clamp(min=0).sqrt()
    cosines = gram / torch.outer(lengths, lengths)
    pairs = [p for group in groups for p in itertools.combinations(group, 2)]
    values = torch.stack([cosines[i, j] for i, j in pairs]) if pairs else torch.empty(0)
    return float(values[values.isfinite()].mean()) if len(values) else float("nan")


def due_layers(step: int, count: int, every: int) -> set[int]:
    """Return the layers to measure in this step.

    Layers take turns: each is measured once in ``every`` steps, and no step must store
    the gradients of all layers.

    Args:
        step: counts from 0.
        count: number of layers.
        every: steps of one round.

    Example:
        >>> [sorted(due_layers(step, 3, 4)) for step in range(5)]
        [[0], [1], [2], [], [0]]
    """
    return {layer for layer in range(count) if layer * every // count == step % every}


def solved_layers(layers: Layers, step: int, cosines: Tensor) -> set[int]:
    """Return the layers on which the solver acts in this step.

    Args:
        layers: configuration of the solver's layers.
        step: counts from 0.
        cosines: (layers,) mean cosine when last measured; NaN if never measured.
    """
    if step < layers.warm_up:
        return set()
    if not layers.select:
        return set(range(len(cosines)))
    return set(torch.nonzero(cosines < 0).flatten().tolist())
