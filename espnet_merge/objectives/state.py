"""The state that training on several objectives keeps from step to step."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from espnet_merge.objectives.conf import Conf


class State(nn.Module):
    """State of the objectives; a part of the model, so that checkpoints hold it.

    Attributes:
        weights: (M,) lambda, initially uniform in each level.
        cosines: (layers,) mean cosine when last measured; NaN before.
        step: number of steps made.
        skipped: (M,) number of successive steps without each objective.
        best_rq, cpc: heads of the losses without text, if an objective has one.
    """

    weights: Tensor
    cosines: Tensor
    step: Tensor
    skipped: Tensor

    def __init__(
        self, conf: Conf, layers: int, heads: Mapping[str, nn.Module] | None = None
    ) -> None:
        super().__init__()
        count = len(conf.names)
        uniform = [1 / len(conf.level_of(index).members) for index in range(count)]
        self.register_buffer("weights", torch.tensor(uniform))
        self.register_buffer("cosines", torch.full((layers,), float("nan")))
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        self.register_buffer("skipped", torch.zeros(count, dtype=torch.int64))
        for name, head in (heads or {}).items():
            self.add_module(name, head)

    def log_line(self, names: list[str], layers: Mapping[str, object]) -> str:
        """Return a line for the log: the weights, and the conflicting layers."""
        weights = zip(names, self.weights.tolist(), strict=True)
        listed = ", ".join(f"{name} {weight:.3f}" for name, weight in weights)
        cosines = zip(layers, self.cosines.tolist(), strict=True)
        found = ", ".join(
            f"{layer} {value:.2f}" for layer, value in cosines if value < 0
        )
        return f"weights: {listed}; conflicting layers: {found or 'none'}"
