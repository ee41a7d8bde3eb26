"""mergekit's YAML, as users write it: the merge of ours that computes the same.

Source: arcee-ai/mergekit 0.1.5, commit a6e402884ba9: what its ``merge_methods``
compute, and with which defaults; ``plan.py`` counts the base among the models.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from espnet_merge.errors import warn
from espnet_merge.merging.mergekit_file import MARK, Chosen, MergekitFile, mapped
from espnet_merge.methods import METHODS
from espnet_merge.methods._build import find_method

# Below this mergekit does not divide by a sum of weights.
ZERO = 1e-8

type Params = dict[str, Any]


def from_mergekit(content: Mapping[str, Any], source: Path) -> dict[str, Any]:
    """Return the options of ``merge`` that a file of mergekit's asks for.

    Args:
        content: Of the file.
        source: The file, for messages.

    Returns:
        ``method`` and ``params``; ``base``, ``experts`` and ``dtype`` where it says.

    Raises:
        InputError: it asks for what is not computed here, by the name of its key.
    """
    file, told = MergekitFile(content, source), str(content[MARK])
    convert = _METHODS.get(told.lower())
    method, params = convert(file) if convert else _own(file, told)
    file.check_read(told)
    dtype = content.get("out_dtype") or content.get("dtype")
    found = {
        "base": file.base,
        "experts": [file.without_base(name) for name in file.experts],
        "dtype": str(dtype).removeprefix("torch.") if dtype else None,
    }
    said = {key: value for key, value in found.items() if value}
    return {"method": method, "params": params, **said}


def _own(file: MergekitFile, told: str) -> tuple[str, Params]:
    """Return a method that mergekit lacks, its parameters as they are here."""
    if (name := find_method(told)) is None:
        known = ", ".join(sorted({*_METHODS, *METHODS}))
        file.refuse(MARK, f"{told!r} is not computed here; there are {known}.")
    file.of_all |= file.common.keys()
    weighted = any("weight" in file.models[expert] for expert in file.experts)
    weights = {"weights": file.each("weight")} if weighted else {}
    given = {key: x for key, x in file.common.items() if key not in file.harmless}
    return name, given | weights


def _linear(file: MergekitFile) -> tuple[str, Params]:
    normalize, base = file.flag("normalize", default=True), file.base
    if base is None or "weight" not in {**file.common, **file.models.get(base, {})}:
        return "soup", {"weights": file.each("weight"), "normalize": normalize}

    def shares(weights: Sequence[float]) -> tuple[float, ...]:
        # The mean of base and experts is the base and the experts' shares of deltas.
        total = sum(weights)
        if abs(total) < ZERO or not (normalize or math.isclose(total, 1)):
            file.refuse("weight", f"must sum to 1, the base's included; got {total:g}.")
        return tuple(weight / total for weight in weights[1:])

    weights = file.each("weight", base)
    return "task_arithmetic", {"weights": mapped(shares, weights), "scale": 1.0}


def _sum(file: MergekitFile) -> Params:
    normalize = file.flag("normalize", default=False)

    def divided(weights: Sequence[float]) -> Sequence[float]:
        total = sum(weights)
        if not normalize or abs(total) < ZERO:
            return weights
        return tuple(weight / total for weight in weights)

    weights = mapped(divided, file.each("weight"))
    return {"weights": weights, "scale": file.one("lambda", 1.0)}


def _agreeing(file: MergekitFile, *, normalize: bool) -> Params:
    mean = file.flag("normalize", default=normalize)
    return {
        "weights": file.each("weight"),
        "scale": file.one("lambda", 1.0),
        "consensus": "mean" if mean else "sum",
    }


def _task_arithmetic(file: MergekitFile) -> tuple[str, Params]:
    file.harmless |= {"density", "rescale"}  # nothing is trimmed
    return "task_arithmetic", _sum(file)


def _ties(file: MergekitFile) -> tuple[str, Params]:
    _keep_length(file)
    density = file.shared("density", 1.0)
    params = _agreeing(file, normalize=True)
    return "ties", {**params, "density": density, "trim": "tensor"}


def _keep_length(file: MergekitFile) -> None:
    file.fixed("rescale", needed=False, default=False)


def _dropping(file: MergekitFile) -> Chosen:
    """Return the density of a method that drops at random."""
    file.fixed("rescale", needed=True, default=True)
    if (density := file.shared("density", 1.0)) != 1:
        warn(
            f"{file.source}: entries are dropped at random, others than by mergekit;"
            " the rest is divided by the share that stays, as in the paper, where"
            " mergekit restores the L1 norm of each tensor."
        )
    return density


def _dare_linear(file: MergekitFile) -> tuple[str, Params]:
    return "dare", {**_sum(file), "density": _dropping(file)}


def _dare_ties(file: MergekitFile) -> tuple[str, Params]:
    params = _agreeing(file, normalize=False)
    return "dare", {**params, "density": _dropping(file)}


def _della(file: MergekitFile) -> tuple[str, Params]:
    # Probabilities reach from density - epsilon to density + epsilon in mergekit; here
    # epsilon is the whole span. At density 1 nothing is dropped.
    density, half = _dropping(file), file.shared("epsilon", 0.15)
    span = 0.0 if density == 1 else mapped(lambda epsilon: 2 * epsilon, half)
    params = _agreeing(file, normalize=True)
    return "della", {**params, "density": density, "epsilon": span}


def _breadcrumbs(file: MergekitFile) -> tuple[str, Params]:
    _keep_length(file)
    density, gamma = file.shared("density", 1.0), file.shared("gamma", 0.01)
    return "breadcrumbs", {**_sum(file), "density": density, "gamma": gamma}


def _breadcrumbs_ties(file: MergekitFile) -> tuple[str, Params]:
    file.fixed("normalize", needed=False, default=False)
    name, params = _breadcrumbs(file)
    return name, {**params, "sign_consensus": True}


def _slerp(file: MergekitFile) -> tuple[str, Params]:
    if file.base is None:
        file.refuse("base_model", "is missing; it is the model at t = 0.")
    others = file.experts
    file.count_base()
    file.experts = [x for x in file.experts if x not in others] + others
    return "slerp", {"t": file.one("t", None)}


def _nuslerp(file: MergekitFile) -> tuple[str, Params]:
    if file.base is None:
        file.refuse("base_model", "is missing; without it, write merge_method: slerp.")
    file.fixed("nuslerp_flatten", needed=True, default=True)
    file.harmless |= {"nuslerp_row_wise"}  # of tensors that are not flattened
    return "nuslerp", {"weights": file.each("weight")}


def _karcher(file: MergekitFile) -> tuple[str, Params]:
    file.count_base()
    limits = {"max_iter": file.one("max_iter", 10), "tol": file.one("tol", 1e-5)}
    return "karcher", limits


def _multislerp(file: MergekitFile) -> tuple[str, Params]:
    file.fixed("normalize_weights", needed=True, default=True)
    file.fixed("eps", needed=1e-8, default=1e-8)
    on = "deltas" if file.base else "weights"
    return "multi_slerp", {"weights": file.each("weight"), "on": on}


def _model_stock(file: MergekitFile) -> tuple[str, Params]:
    filter_wise = file.flag("filter_wise", default=False)
    return "model_stock", {"filter_wise": filter_wise, "clamp": False}


def _sce(file: MergekitFile) -> tuple[str, Params]:
    warn(
        f"{file.source}: the experts are weighted by their energies everywhere, as in"
        " the paper; mergekit weights them equally where these sum to less than 1e-6."
    )
    return "sce", {"density": file.one("select_topk", 1.0)}


def _ram(file: MergekitFile) -> tuple[str, Params]:
    return "ram", {"threshold": file.one("epsilon", 1e-5), "rescale": 0.0}


def _ramplus_tl(file: MergekitFile) -> tuple[str, Params]:
    name, params = _ram(file)
    more = {"rescale": file.one("r", 0.1), "limit": file.one("alpha", 0.2)}
    return name, {**params, **more, "count": "tensor"}


# mergekit's name -> ours, and the parameters that make it compute the same.
_METHODS: dict[str, Callable[[MergekitFile], tuple[str, Params]]] = {
    "linear": _linear,
    "task_arithmetic": _task_arithmetic,
    "ties": _ties,
    "dare_linear": _dare_linear,
    "dare_ties": _dare_ties,
    "della": _della,
    "breadcrumbs": _breadcrumbs,
    "breadcrumbs_ties": _breadcrumbs_ties,
    "slerp": _slerp,
    "nuslerp": _nuslerp,
    "karcher": _karcher,
    "multislerp": _multislerp,
    "model_stock": _model_stock,
    "sce": _sce,
    "ram": _ram,
    "ramplus_tl": _ramplus_tl,
}
