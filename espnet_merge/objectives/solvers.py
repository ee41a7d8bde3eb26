"""Solvers, which weight the objectives of a level, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from torch import Tensor

from espnet_merge.errors import InputError
from espnet_merge.objectives.modo import MoDo

STATIC = "static"
MODO = "modo"


class Solver(Protocol):
    """Computes new weights of M objectives from old ones and products of gradients.

    Attributes:
        samples: number of batches of each objective in a step. With 2, they are
            independent and ``gram`` is ``G2 @ G1.T``; with 1, it is the Gram matrix
            ``G @ G.T``.
    """

    samples: ClassVar[int]

    def __call__(self, weights: Tensor, gram: Tensor) -> Tensor:
        """Return the new weights (M,)."""


@dataclass(frozen=True)
class Aggregated:
    """Weights by an aggregator of TorchJD that needs only the Gram matrix.

    Source: Quinton and Rey, *Jacobian Descent for Multi-Objective Optimization*, 2024,
    https://arxiv.org/abs/2406.16232; each aggregator's own paper in
    https://torchjd.org/stable/docs/aggregation.
    """

    weighting: Callable[[Tensor], Tensor]
    samples: ClassVar[int] = 1

    def __call__(self, weights: Tensor, gram: Tensor) -> Tensor:
        """Return the aggregator's weights, which do not depend on the old ones."""
        return self.weighting(gram.double()).to(weights)


def build_solver(name: str, conf: Mapping[str, Any]) -> Solver | None:
    """Return the solver of that name; None for static weights.

    Raises:
        InputError: the solver or a parameter is unknown, or a package that it needs is
            missing.
    """
    if name == STATIC and not conf:
        return None
    known = {MODO: MoDo, STATIC: dict} | _aggregators()
    if name not in known:
        raise InputError(
            f"solver must be one of {', '.join(sorted(known))}; got {name!r}."
        )
    try:
        built = known[name](**conf)
    except ImportError as error:
        raise InputError(f"solver {name}: {error}, or choose another.") from None
    except (TypeError, ValueError) as error:
        raise InputError(f"solver_conf must fit {name}; {error}.") from error
    if name == MODO:
        return built  # type: ignore[no-any-return]
    if name == STATIC:
        raise InputError(f"solver static takes no solver_conf; got {dict(conf)}.")
    return Aggregated(built.gramian_weighting)


def _aggregators() -> dict[str, Callable[..., Any]]:
    """Return TorchJD's aggregators that need only the Gram matrix and have no state.

    The others would need all gradients at once, or lose their state when a training is
    resumed.
    """
    from torchjd import Stateful, aggregation

    classes = {name: getattr(aggregation, name) for name in aggregation.__all__}
    base = aggregation.GramianWeightedAggregator
    return {
        name: class_
        for name, class_ in classes.items()
        if issubclass(class_, base)
        and class_ is not base
        and not issubclass(class_, Stateful)
    }
