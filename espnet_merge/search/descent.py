"""Adam, down to the weights where a measured value is least."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

# Returns a value and its gradient, for some weights.
type Measure = Callable[[Tensor], tuple[float, Tensor]]


def descend(
    weights: Tensor, measure: Measure, steps: int, lr: float
) -> Iterator[float]:
    """Change the weights, in place; yield the value before each step.

    Args:
        weights: where to begin; of no network, so that they need no gradient.
        measure: called once a step.
        steps: number of steps.
        lr: learning rate of the first step; it falls linearly, to 0 after the last.
    """
    optimizer = torch.optim.Adam([weights], lr=lr)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0, steps)
    for _ in range(steps):
        value, weights.grad = measure(weights)
        optimizer.step()
        schedule.step()
        yield value
    weights.grad = None
