"""Statistics of experts, written without running any, for tests of what reads them."""

import json

import numpy as np

from espnet_merge.checkpoint import open_checkpoint, open_expert
from espnet_merge.checkpoint.identity import expert_digest
from espnet_merge.checkpoint.roles import role_of
from espnet_merge.checkpoint.statistics import FILE, write_tensors
from espnet_merge.methods import METHODS, build_method

KINDS = {
    name: method.statistics_kind
    for name, method in METHODS.items()
    if hasattr(method, "statistics_kind")
}


def write_statistics(path, kind, tensors, expert="", inputs=None):
    """Write ``tensors`` as statistics of ``kind`` into the directory ``path``."""
    path.mkdir(parents=True, exist_ok=True)
    entries = np.concatenate([np.ravel(value) for value in tensors.values()])
    facts = {"mean": float(entries.mean()), "norm": float(np.linalg.norm(entries))}
    if kind == "gram":
        facts = {"inputs": inputs or {name: name for name in tensors}}
    metadata = {"kind": kind, "expert": expert, "facts": json.dumps(facts)}
    shapes = {name: np.shape(value) for name, value in tensors.items()}
    arrays = [np.ascontiguousarray(value, np.float32) for value in tensors.values()]
    write_tensors(path / FILE, shapes, arrays, metadata)
    return str(path)


def method_with(root, name, tensors, **params):
    """Build a method with ``tensors[i]`` as statistics of ``x`` of expert ``i``."""
    places = [
        write_statistics(root / f"{name}-{i}", KINDS[name], {"x": tensor})
        for i, tensor in enumerate(tensors)
    ]
    return build_method(name, {"statistics": places, **params})


def gram(columns, rng):
    rows = rng.normal(size=(2 * columns, columns))
    return rows.T @ rows / len(rows)


def random_statistics(path, kind, shapes, rng, expert=""):
    """Write statistics for tensors of these shapes, all other than of the last call."""
    if kind == "fisher":
        tensors = {name: rng.random(shape) for name, shape in shapes.items()}
    else:
        tensors = {
            name: gram(shape[1], rng)
            for name, shape in shapes.items()
            if role_of(name, shape) == "linear"
        }
    return write_statistics(path, kind, tensors, expert)


def statistics_of(root, kind, base, experts):
    """Write statistics of each of ``experts`` beside ``root``; return the places."""
    base = open_checkpoint(root / base)
    places = []
    for seed, name in enumerate(experts):
        digest = expert_digest(base, open_expert(root / name))
        shapes = {n: e.shape for n, e in base.entries.items() if e.is_float}
        path = root.parent / f"{root.name}-{kind}-{name}"
        rng = np.random.default_rng(seed)
        places.append(random_statistics(path, kind, shapes, rng, digest))
    return places
