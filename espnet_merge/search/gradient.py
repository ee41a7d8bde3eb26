r"""The gradient of a loss in the weights of a sum of task vectors.

.. math:: \theta = \theta_0 + \sum_i \lambda_{i,g} \tau_i, \qquad
          \frac{\partial L}{\partial \lambda_{i,g}} =
          \sum_{\text{tensors of } g} \Bigl\langle
          \frac{\partial L}{\partial \theta}, \tau_i \Bigr\rangle

One backward pass gives the gradients in all weights of the network, and the task
vectors are read chunk by chunk. So the memory is that of training the network without
an optimiser.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from espnet_merge.arrays import Array
from espnet_merge.merging.inputs import Chunks, Inputs
from espnet_merge.methods import TensorInfo
from espnet_merge.methods.task_arithmetic import TaskArithmetic

if TYPE_CHECKING:
    from numpy.typing import NDArray


def gradient(
    inputs: Inputs,
    gradients: Mapping[str, Tensor | None],
    groups: Sequence[Sequence[str]],
) -> "NDArray[np.float64]":
    """Return the gradient in the weight of each expert in each group.

    Args:
        inputs: base and experts, opened.
        gradients: of the loss in each tensor; None where it does not depend on it.
        groups: names of the tensors of each group.

    Returns:
        (groups, experts).
    """
    flat = {name: g.reshape(-1) for name, g in gradients.items() if g is not None}
    row = {name: number for number, names in enumerate(groups) for name in names}
    total = np.zeros((len(groups), len(inputs.experts)))

    def products(info: TensorInfo, taus: Sequence[Array]) -> tuple[str, list[float]]:
        part = flat[info.name][info.start : info.start + taus[0].size]
        values = part.float().cpu().numpy()
        return info.name, [float(values @ tau.ravel()) for tau in taus]

    used = [name for name in row if name in flat]
    for name, found in Chunks(inputs, TaskArithmetic(), used).map(products):
        total[row[name]] += found
    return total
