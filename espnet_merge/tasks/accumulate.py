"""Gradient accumulation in which all tokens of a step have the same weight.

ESPnet divides the mean loss of each of n accumulated batches by n, and steps at every
n-th batch. So tokens of a batch with short texts count more. The batches that are left
at the end of an epoch wait for the next one, or are lost when a run is resumed.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

Batch = tuple[list[str], dict[str, Tensor]]


class Groups:
    r"""The batches of whole steps, each with its ``loss_weight``.

    The batches that are left at the end of an epoch are in ``rest``.

    The loss of batch a of n in a step is multiplied by :math:`n N_a / \sum_b N_b`, with
    N its number of tokens in all processes. ESPnet divides by n, so the step's loss is
    the mean over all of its tokens. The batches of a step are in memory together.

    Args:
        batches: of an epoch; every process has the same number.
        size: n.
        weigh: returns the number of tokens of a batch.
        device: device on which processes sum their numbers; None for one process.
    """

    def __init__(
        self,
        batches: Sequence[Batch],
        size: int,
        weigh: Callable[[dict[str, Tensor]], int],
        device: str | None,
    ) -> None:
        self._batches = batches
        self._size = size
        self._weigh = weigh
        self._device = device
        self.rest: list[Batch] = []

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[Batch]:
        for group in itertools.batched(self._batches, self._size):
            weighted = self._with_loss_weights(group)
            if len(group) < self._size:
                self.rest = weighted
            else:
                yield from weighted

    def _with_loss_weights(self, group: Sequence[Batch]) -> list[Batch]:
        tokens = torch.tensor([float(self._weigh(batch)) for _, batch in group])
        if self._device is not None:
            tokens = tokens.to(self._device)
            torch.distributed.all_reduce(tokens)
        loss_weights: Any = len(group) * tokens.cpu() / tokens.cpu().sum()
        return [
            (names, batch | {"loss_weight": loss_weight.expand(len(names)).clone()})
            for (names, batch), loss_weight in zip(group, loss_weights, strict=True)
        ]
