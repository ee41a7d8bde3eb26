"""Gradients of several objectives, stored separately for the layers that need them.

A *kept* layer has a matrix with a row for each objective and one more. During a
backward pass the ``grad`` of its parameters are views of one row, so that autograd
writes there directly and nothing is copied. All other parameters sum the gradients of
all passes in ``grad``.
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
    """Return the trained parameters whose names are shared, layer by layer.

    A frozen layer is listed, with no parameters. So the numbering of layers does not
    change when ESPnet's ``freeze_param`` freezes one.

    Raises:
        InputError: no trained parameter is shared.
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
    """The gradients of all objectives on one layer, a row for each.

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
        """Set one row, or all rows, to zero."""
        self.rows[row].zero_()

    def attach(self, row: int) -> None:
        """Make the next backward passes add to ``row``."""
        start = 0
        for parameter in self.parameters:
            part = self.rows[row, start : start + parameter.numel()]
            parameter.grad = part.view_as(parameter)
            start += parameter.numel()

    def gram(self) -> Tensor:
        """Return the inner products of the rows, (M, M)."""
        matrix = self.rows[: self.count]
        return matrix @ matrix.T

    def against_last(self) -> Tensor:
        """Return the inner products of the rows with the last row, (M,)."""
        return self.rows[: self.count] @ self.rows[self.count]

    def combine(self, factors: Tensor) -> None:
        """Set ``grad`` to the sum of the rows, each times its factor (M,)."""
        matrix, direction = self.rows[: self.count], self.rows[self.count]
        torch.mv(matrix.T, factors.to(matrix), out=direction)
        self.attach(self.count)

    def drop_if_zero(self) -> None:
        """Set ``grad`` to None if all rows are zero.

        The optimiser must not change such parameters, not even by weight decay.
        """
        if not self.rows[: self.count].any():
            for parameter in self.parameters:
                parameter.grad = None


def sum_over_processes(tensors: Iterable[Tensor]) -> None:
    """Sum each tensor over all processes, in place."""
    for work in [torch.distributed.all_reduce(t, async_op=True) for t in tensors]:
        work.wait()
