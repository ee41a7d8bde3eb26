"""Gradients of several objectives, side by side, on the layers that need them.

A layer that is *kept* has a matrix with a row for each objective and one more. During
a backward pass the ``grad`` of its parameters are views of one row, so that autograd
itself writes there and nothing is copied. Other parameters sum all passes in ``grad``.
"""

import re
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from espnet_merge.errors import InputError

LAYER = re.compile(r"(?:en|de)coder\.(?:layers\.\d+|\w+)")


def layers_of(
    model: nn.Module, is_shared: Callable[[str], bool]
) -> dict[str, list[nn.Parameter]]:
    """Return the trained parameters that are shared, by their names, layer by layer.

    A layer that is frozen is there, and empty: what is counted by layer stays the same
    when ESPnet's ``freeze_param`` freezes one.

    Raises:
        InputError: there is none.
    """
    layers: dict[str, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if is_shared(name):
            match = LAYER.search(name)
            layer = layers.setdefault(
                match[0] if match else name.rpartition(".")[0], []
            )
            if parameter.requires_grad:
                layer.append(parameter)
    if not any(layers.values()):
        raise InputError(
            r"shared must match trained parameters; it matches none: set shared to "
            r"model\.encoder\."
        )
    return layers


class LayerGradients:
    """Rows of gradients of one layer.

    Args:
        parameters: of the layer.
        count: number of objectives, M.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], count: int) -> None:
        self.parameters = parameters
        self.count = count
        size = sum(parameter.numel() for parameter in parameters)
        # The last row is for the second sample of MoDo, then for the direction.
        self.rows = parameters[0].new_zeros((count + 1, size))

    def clear(self, row: int | slice = slice(None)) -> None:
        """Set a row, or all, to zero."""
        self.rows[row].zero_()

    def attach(self, row: int) -> None:
        """Let the next backward passes add to ``row``."""
        start = 0
        for parameter in self.parameters:
            part = self.rows[row, start : start + parameter.numel()]
            parameter.grad = part.view_as(parameter)
            start += parameter.numel()

    def gram(self) -> Tensor:
        """Return (M, M): inner products of the rows."""
        matrix = self.rows[: self.count]
        return matrix @ matrix.T

    def against_last(self) -> Tensor:
        """Return (M,): inner products of the rows with the last one."""
        return self.rows[: self.count] @ self.rows[self.count]

    def combine(self, factors: Tensor) -> None:
        """Leave in ``grad`` the sum of the rows, each times its factor (M,)."""
        matrix, direction = self.rows[: self.count], self.rows[self.count]
        torch.mv(matrix.T, factors.to(matrix), out=direction)
        self.attach(self.count)

    def drop_if_zero(self) -> None:
        """Take away ``grad`` if no objective left a gradient.

        The optimiser must not touch such parameters, not even by weight decay.
        """
        if not self.rows[: self.count].any():
            for parameter in self.parameters:
                parameter.grad = None


def sum_over_processes(tensors: Iterable[Tensor]) -> None:
    """Add up each tensor over all processes, in place."""
    for work in [torch.distributed.all_reduce(t, async_op=True) for t in tensors]:
        work.wait()
