"""One training step on all objectives: gradients, conflict, weights, direction."""

import logging
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from espnet2.train.trainer import autocast_args
from torch import Tensor, nn
from torch.amp import GradScaler, autocast

from espnet_merge.errors import InputError
from espnet_merge.objectives.conf import Conf
from espnet_merge.objectives.conflict import due_layers, mean_cosine, solved_layers
from espnet_merge.objectives.gradients import LayerGradients, sum_over_processes
from espnet_merge.objectives.state import State

Batch = tuple[list[str], dict[str, Any]]
# Name of a statistic -> (value * fraction, fraction) of each part of a sample.
Stats = dict[str, list[tuple[Tensor, Tensor]]]


class ObjectivesStep(nn.Module):
    r"""Stands in for the model in ESPnet's trainer; sets ``grad`` to the direction.

    .. math:: d = \sum_\ell \eta_\ell \sum_{i \in \ell} \lambda_i g_i

    On the shared layers that conflict, lambda comes from the solver of each level l; on
    all others :math:`\lambda_i = 1 / M_\ell`. Every loss is scaled by its static
    weight, so that without a conflict a step equals that of joint training. The solver
    only weights the rows again.

    Source: Saif et al., *Objective Soups*, 2025, https://arxiv.org/abs/2508.09228: VS,
    VC and VM are chosen by the levels of ``conf``.
    Our choices where the paper says nothing: Parameters outside of the solved layers
    use both samples of MoDo. A level of weight 0 is not solved. A batch whose loss is
    not finite is left out, and the weights do not change in that step. A parameter that
    several objectives own, such as those of one language each, follows the mean of
    their gradients.

    A loss is the mean over all tokens, or masked positions, of a sample: over all its
    parts in all processes.

    Args:
        model: returns (loss, statistics, weight) of a batch; its ``weighed`` returns
            the weight beforehand.
        state: kept from step to step; changed in place.
        conf: objectives and levels.
        layers: the shared parameters, layer by layer.
        epoch: counts from 1; decides the weights of the levels.
        scaler: for mixed precision.
        distributed: whether each process gets a part of every batch.
    """

    def __init__(
        self,
        model: nn.Module,
        state: State,
        conf: Conf,
        layers: dict[str, list[nn.Parameter]],
        *,
        epoch: int,
        scaler: GradScaler | None = None,
        distributed: bool = False,
    ) -> None:
        super().__init__()
        self.model = model
        self.state = state
        self.conf = conf
        self.layers = layers
        self.scaler = scaler
        self.distributed = distributed
        self.eta = conf.etas(epoch)
        static = conf.static_weights(epoch)
        self.own = [
            [
                p
                for name, p in model.named_parameters()
                if p.requires_grad and o.owns(name)
            ]
            for o in conf.objectives.values()
        ]
        # A level of weight 0 trains only its own parameters, with an unscaled loss.
        self.scales = [weight or 1.0 for weight in static]
        self.frozen = [self._frozen(i, own_only=not w) for i, w in enumerate(static)]
        self.owned: dict[nn.Parameter, float] = defaultdict(float)  # its owners' scales
        for scale, own in zip(self.scales, self.own, strict=True):
            for parameter in own:
                self.owned[parameter] += scale
        self.kept: dict[int, LayerGradients] = {}
        self.measured: list[tuple[int, str, float]] = []

    def forward(
        self,
        batches: Sequence[Sequence[Sequence[Batch]]],
        **_: Any,  # noqa: ANN401 - ESPnet adds the utterances' names
    ) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """Compute the gradients of a step.

        Args:
            batches: by objective, sample and part of an accumulated batch.

        Returns:
            A loss without gradient, statistics, and the number of utterances.

        Raises:
            InputError: an objective was left out of too many successive steps.
        """
        step = int(self.state.step)
        due, solved = self._plan(step)
        gram = self.state.weights.new_zeros(len(self.own), len(self.own))
        finite = [True] * len(self.own)
        stats: Stats = defaultdict(list)
        for sample in range(max(map(len, batches))):
            for index, samples in enumerate(batches):
                if sample == len(samples):
                    continue
                second = solved if sample else set()
                self._attach(index, second)
                finite[index] &= self._backward(index, samples[sample], stats)
                self._reduce(second, len(self.own))
                for layer in second:
                    gram[index] += self.kept[layer].against_last()
            if sample == 0:
                self._reduce(solved, slice(len(self.own)))
        self._reduce(self.kept.keys() - solved, slice(len(self.own)))
        self._measure(due, step)
        if solved and all(finite):
            self._solve(gram, solved)
        self._leave(solved, all_finite=all(finite))
        self._count(finite)
        self.state.step += 1
        return self._report(stats, batches)

    def _plan(self, step: int) -> tuple[set[int], set[int]]:
        """Return the layers to measure and to solve; prepare their gradient rows."""
        if self.conf.solver is None:
            return set(), set()
        parameters = list(self.layers.values())
        trained = {layer for layer, part in enumerate(parameters) if part}
        due = due_layers(step, len(parameters), self.conf.layers.every) & trained
        solved = solved_layers(self.conf.layers, step, self.state.cosines) & trained
        self.kept = {
            layer: self.kept.get(layer)
            or LayerGradients(parameters[layer], len(self.own))
            for layer in sorted(due | solved)
        }
        for gradients in self.kept.values():
            gradients.clear()
        return due, solved

    def _attach(self, index: int, second: set[int]) -> None:
        """Point ``grad`` at the objective's row, or at the last row in ``second``."""
        for layer, gradients in self.kept.items():
            if layer in second:
                gradients.clear(gradients.count)
            gradients.attach(gradients.count if layer in second else index)

    def _backward(self, index: int, parts: Sequence[Batch], stats: Stats) -> bool:
        """Add the gradient of an objective on a sample; return if all was finite."""
        name = self.conf.names[index]
        scale = self.scales[index] / self.conf.samples(index)
        finite = True
        with _without_gradient(self.frozen[index]):
            for batch, fraction in self._with_fractions(parts):
                with autocast("cuda", enabled=self.scaler is not None, **autocast_args):
                    loss, values, _ = self.model(**batch)
                if self._summed((~loss.detach().isfinite()).sum()):
                    finite = False
                    continue
                for key, value in values.items():
                    stats[f"{key}_{name}"].append(
                        (value.detach().sum() * fraction, fraction)
                    )
                scaled = loss.sum() * scale * fraction
                if self.scaler is not None:
                    scaled = self.scaler.scale(scaled)
                if scaled.requires_grad:
                    scaled.backward()
        return finite

    def _with_fractions(
        self, parts: Sequence[Batch]
    ) -> list[tuple[dict[str, Any], Tensor]]:
        """Return each part with its fraction of the sample's weight, over processes."""
        weighed = [self.model.weighed(batch) for _, batch in parts]  # type: ignore[operator]
        device = self.state.weights.device
        weights = torch.tensor([float(weight) for _, weight in weighed], device=device)
        total = self._summed(weights.sum())
        return [
            (batch, weight / total)
            for (batch, _), weight in zip(weighed, weights, strict=True)
        ]

    def _summed(self, value: Tensor) -> Tensor:
        if self.distributed:
            torch.distributed.all_reduce(value)
        return value

    def _reduce(self, layers: set[int], rows: int | slice) -> None:
        if self.distributed:
            sum_over_processes(self.kept[layer].rows[rows] for layer in sorted(layers))

    def _measure(self, due: set[int], step: int) -> None:
        groups = [level.members for level in self.conf.levels]
        names = list(self.layers)
        for layer in sorted(due):
            cosine = mean_cosine(self.kept[layer].gram().cpu(), groups)
            if math.isfinite(cosine):
                self.state.cosines[layer] = cosine
                self.measured.append((step, names[layer], cosine))
        if self.conf.solver and (step + 1) % self.conf.layers.every == 0:
            logging.info(self.state.log_line(self.conf.names, self.layers))

    def _solve(self, gram: Tensor, solved: set[int]) -> None:
        """Update the weights of each level with the solver."""
        assert self.conf.solver is not None
        if self.conf.solver.samples == 1:
            gram = torch.stack([self.kept[layer].gram() for layer in solved]).sum(0)
        # Rows are gradients times their scales; the solver needs plain gradients.
        parts = [s / self.conf.samples(i) for i, s in enumerate(self.scales)]
        scales = torch.tensor(parts) * (self.scaler.get_scale() if self.scaler else 1.0)
        gram = gram.cpu() / torch.outer(scales, scales)
        if not gram.isfinite().all():
            return
        for level in self.conf.levels:
            members = list(level.members)
            if len(members) > 1 and self.eta[members[0]] > 0:
                old = self.state.weights[members].cpu()
                new = self.conf.solver(old, gram[members][:, members])
                self.state.weights[members] = new.to(self.state.weights)

    def _leave(self, solved: set[int], *, all_finite: bool) -> None:
        """Set ``grad`` to the direction that the optimiser follows."""
        sizes = [len(self.conf.level_of(i).members) for i in range(len(self.own))]
        samples = [self.conf.samples(i) for i in range(len(self.own))]
        factors = self.state.weights.cpu() * torch.tensor(sizes) * torch.tensor(samples)
        for layer, gradients in self.kept.items():
            gradients.combine(factors if layer in solved else torch.ones_like(factors))
            if not all_finite:
                gradients.drop_if_zero()
        if self.distributed:
            kept = {id(p) for g in self.kept.values() for p in g.parameters}
            sum_over_processes(
                p.grad
                for p in self.model.parameters()
                if p.grad is not None and id(p) not in kept
            )
        for parameter, scale in self.owned.items():
            if parameter.grad is not None:
                parameter.grad /= scale
        trained = [p for p in self.model.parameters() if p.requires_grad]
        if all(p.grad is None for p in trained):
            # ESPnet takes no step where the gradient is not finite.
            trained[0].grad = torch.full_like(trained[0], float("nan"))

    def _count(self, finite: Sequence[bool]) -> None:
        for index, (name, sound) in enumerate(
            zip(self.conf.names, finite, strict=True)
        ):
            count = 0 if sound else int(self.state.skipped[index]) + 1
            self.state.skipped[index] = count
            if count:
                logging.warning(
                    f"objective {name}: its loss is not finite; left out of this step "
                    f"({count} in a row, {self.conf.max_skipped} stop the training)"
                )
            if count and count >= self.conf.max_skipped:
                raise InputError(
                    f"objective {name} must have a finite loss; it had none in {count} "
                    "steps in a row: look at its data, or lower the learning rate."
                )

    def _report(
        self,
        stats: Stats,
        batches: Sequence[Sequence[Sequence[Batch]]],
    ) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        device = self.state.weights.device
        means = self._means(stats)
        losses = [value for key, value in means.items() if key.startswith("loss_")]
        nan = torch.full((1,), float("nan"), device=device)
        means["loss"] = torch.stack(losses).mean(0) if losses else nan
        for name, eta, weight in zip(
            self.conf.names, self.eta, self.state.weights, strict=True
        ):
            means[f"weight_{name}"] = (eta * weight)[None]
        if self.conf.solver is not None:
            means["conflicts"] = (self.state.cosines < 0).sum()[None].float()
        utterances = sum(
            len(names) for o in batches for sample in o for names, _ in sample
        )
        nothing = torch.zeros(1, device=device, requires_grad=True).clone()
        return nothing, means, torch.tensor([utterances], device=device)

    def _means(self, stats: Stats) -> dict[str, Tensor]:
        """Return the weighted mean of each statistic over the parts."""
        if not stats:
            return {}
        pairs = [
            torch.stack([torch.stack(pair) for pair in values]).sum(0)
            for values in stats.values()
        ]
        sums, fractions = self._summed(torch.stack(pairs)).T
        return dict(zip(stats, (sums / fractions)[:, None], strict=True))

    def _frozen(self, index: int, *, own_only: bool) -> list[nn.Parameter]:
        """Return the trained parameters that the objective must not change."""
        own = {id(parameter) for parameter in self.own[index]}
        others = {id(p) for parameters in self.own for p in parameters} - own
        return [
            p
            for p in self.model.parameters()
            if p.requires_grad and (id(p) in others or (own_only and id(p) not in own))
        ]


@contextmanager
def _without_gradient(parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
