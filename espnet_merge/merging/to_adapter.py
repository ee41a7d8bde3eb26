"""Merge adapters into one adapter."""

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from espnet_merge.arrays import Array
from espnet_merge.checkpoint import Adapter
from espnet_merge.checkpoint.adapter import PREFIX, WEIGHTS
from espnet_merge.checkpoint.adapter_config import BASE_NAME
from espnet_merge.checkpoint.dtypes import FLOATS, check_overflow, to_stored
from espnet_merge.checkpoint.factored import Factored, concatenate
from espnet_merge.checkpoint.origin import OPENAI, hub_name
from espnet_merge.checkpoint.output import Plan
from espnet_merge.checkpoint.safetensors import SafetensorsWriter
from espnet_merge.errors import InputError
from espnet_merge.files import ADAPTER_CONFIG
from espnet_merge.linalg.backend import on_cpu
from espnet_merge.linalg.decompose import cut
from espnet_merge.merging.inputs import Inputs
from espnet_merge.merging.loop import Bits, Step, Target, accept, opened, write
from espnet_merge.merging.merge import Merge
from espnet_merge.merging.provenance import Record
from espnet_merge.methods import METHODS, TensorInfo
from espnet_merge.methods._base import expert_weights, scope_of
from espnet_merge.methods.soup import Soup

# Methods whose result is a sum of the deltas, which factors can hold exactly.
LINEAR = ("soup", "task_arithmetic")
# Fraction of the merged energy that may be lost to rounding.
LOST = 1e-9


@dataclass(frozen=True)
class AdapterMerge:
    """A merge whose result is a PEFT adapter of the base.

    Args:
        merge: What to merge; every expert is an adapter.
        rank: Rank of the result, the best approximation of the merged delta; None
            takes the sum of the experts' ranks, which loses nothing where the result
            lies in what they span.

    Raises:
        InputError: an expert is no adapter, or the method does not suit the rank.
    """

    merge: Merge
    rank: int | None

    def __post_init__(self) -> None:
        """Check everything that does not need the weights."""
        for expert in self.merge.experts:
            if not isinstance(expert, Adapter):
                raise InputError(
                    f"{expert.path}: --output-adapter takes adapters only, and this is"
                    " a whole model; leave the option out."
                )
        if self.rank is None and not (self.is_linear or self.merge.kind.factored):
            raise InputError(
                "--output-adapter exact needs a method that sums the deltas,"
                f" {' or '.join(LINEAR)}, or one that merges factors, such as tsv_m;"
                " choose a rank instead."
            )
        if self.scales_base:
            raise InputError(
                "--output-adapter needs weights that sum to 1 where soup has"
                " normalize=false, for an adapter cannot scale its base: change them,"
                " or merge by task_arithmetic."
            )
        shapes = [self.merge.base.entries[name].shape for name in self.names]
        full = max(map(min, shapes), default=0)
        if self.rank is not None and not 1 <= self.rank <= full:
            raise InputError(
                f"--output-adapter: the rank must lie in [1, {full}], got {self.rank};"
                f" {full} is the full rank of the largest layer."
            )

    @property
    def adapters(self) -> list[Adapter]:
        """The experts."""
        return [x for x in self.merge.experts if isinstance(x, Adapter)]

    @property
    def is_linear(self) -> bool:
        """Whether the result is a sum of the deltas."""
        linear = {METHODS[name] for name in LINEAR}
        return self.merge.kind in linear and not self.merge.calibrated

    @property
    def scales_base(self) -> bool:
        """Whether the merge has another multiple of the base than 1."""
        count = len(self.merge.experts)
        soups = [method.plain for method in self.merge.methods]
        return any(
            isinstance(soup, Soup)
            and not soup.normalize
            and not math.isclose(sum(expert_weights(soup.weights, count)), 1)
            for soup in soups
        )

    @cached_property
    def names(self) -> list[str]:
        """The tensors that an expert changes; the others stay the base's."""
        return sorted(set().union(*(adapter.scales for adapter in self.adapters)))

    @cached_property
    def written_rank(self) -> int:
        """Rank of every factor that is written; smaller ones are padded with zeros."""
        if self.rank is not None:
            return self.rank
        return max(map(self._rank, self.names))

    def run(
        self,
        jobs: int = 1,
        device: str = "cpu",
        check: Callable[[Record], None] = accept,
    ) -> float:
        """Write the adapter, or nothing; return the fraction of energy that it keeps.

        Args:
            jobs: Number of threads; the bytes do not depend on it.
            device: Where torch's arrays are made: cpu or cuda.
            check: Looks at the record: before the merge, then with its result.
        """
        energies: dict[str, tuple[float, float]] = {}
        with opened([self.merge], jobs, device) as (inputs, (record,)):
            record.pop("copied", None)
            record |= {
                "format": "adapter",
                "rank": "exact" if self.rank is None else self.rank,
            }
            target = Target(
                self.merge.output,
                record,
                self._writer,
                self._finish,
                overwrite=self.merge.overwrite,
            )
            write([target], self._steps(inputs, energies), inputs.workers, check)
        kept, whole = map(sum, zip(*(energies[n] for n in self.names), strict=True))
        return kept / whole if whole else 1.0

    def _writer(self, directory: Path) -> SafetensorsWriter:
        return SafetensorsWriter(directory / WEIGHTS[0], self._plan(), self._metadata())

    def _finish(self, directory: Path) -> None:
        config = json.dumps(self._config(), indent=2) + "\n"
        (directory / ADAPTER_CONFIG).write_text(config, encoding="utf-8")

    def _steps(
        self, inputs: Inputs, energies: dict[str, tuple[float, float]]
    ) -> Iterator[Step]:
        """Yield the steps that make A and B of each tensor, and note their energies."""
        for name in self.names:
            method = self.merge.at(name)
            if scope_of(method) == "model":
                inputs.elementwise(method, name)  # by all threads, and kept
            yield partial(self._factors, inputs.alone, name, energies)

    def _plan(self) -> Plan:
        plan: dict[str, tuple[str, tuple[int, ...]]] = {}
        dtype, rank = FLOATS[self.merge.dtype], self.written_rank
        for name in self.names:
            rows, columns = self.merge.base.entries[name].shape
            for factor, shape in zip(
                _factor_names(name), ((rank, columns), (rows, rank)), strict=True
            ):
                plan[factor] = (dtype, shape)
        return plan

    def _factors(
        self, inputs: Inputs, name: str, energies: dict[str, tuple[float, float]]
    ) -> Bits:
        """Return the stored bits of A and B; note the energy kept, and the whole."""
        kept = whole = 0.0
        merged = (
            self._sum(inputs, name) if self.is_linear else self._whole(inputs, name)
        )
        if self.rank is not None:
            delta, kept, whole = cut(merged, self.rank)
        elif isinstance(merged, Factored) and merged.b.shape[1] <= self.written_rank:
            delta = merged
        else:
            delta, kept, whole = cut(merged, self._rank(name))
            if kept < (1 - LOST) * whole:
                raise InputError(
                    f"--output-adapter exact: the merged {name} has more rank than the"
                    f" experts together, {self._rank(name)}; choose a rank instead."
                )
        energies[name] = (kept, whole)
        bits = [self._stored(name, factor) for factor in self._padded(delta)]
        return [
            (0, factor, stored)
            for factor, stored in zip(_factor_names(name), bits, strict=True)
        ]

    def _padded(self, delta: Factored) -> tuple[Array, Array]:
        """Return A and B of the written rank, on the CPU."""
        import numpy as np

        missing = self.written_rank - delta.b.shape[1]
        a, b = on_cpu(delta.a), on_cpu(delta.b * delta.scale)
        return np.pad(a, ((0, missing), (0, 0))), np.pad(b, ((0, 0), (0, missing)))

    def _stored(self, name: str, factor: Array) -> Array:
        dtype = FLOATS[self.merge.dtype]
        check_overflow(name, factor, dtype)
        return to_stored(factor, dtype).ravel()

    def _rank(self, name: str) -> int:
        """Return the sum of the experts' ranks."""
        return sum(x.rank(name) for x in self.adapters if name in x.scales)

    def _sum(self, inputs: Inputs, name: str) -> Factored:
        """Put the factors of all experts side by side."""
        import numpy as np

        # What a sum makes of ones and zeros is the coefficient of each expert.
        units = np.eye(len(self.adapters))
        info = TensorInfo(name=name, base=np.zeros(1))
        method = self.merge.at(name)
        parts = []
        for adapter, unit in zip(self.adapters, units, strict=True):
            if name in adapter.scales:
                (weight,) = method([unit[i : i + 1] for i in range(len(units))], info)
                parts.append((float(weight), inputs.delta(adapter, name)))
        return concatenate(parts)

    def _whole(self, inputs: Inputs, name: str) -> "Factored | Array":
        """Merge by any method; one that works on factors may return factors."""
        import numpy as np

        method = self.merge.at(name)
        elementwise = inputs.elementwise(method, name)
        parts = []
        for info, tensors in inputs.parts(method, name):
            merged = elementwise(tensors, info)
            if isinstance(merged, Factored):
                return merged
            if self.merge.kind.space == "weights":
                merged = merged - info.base
            parts.append(on_cpu(merged).ravel())
        return np.concatenate(parts).reshape(self.merge.base.entries[name].shape)

    def _metadata(self) -> dict[str, str]:
        known = [x.base_sha256 for x in self.adapters if x.base_sha256]
        return {"base_sha256": known[0]} if known else {}

    def _config(self) -> dict[str, Any]:
        modules = [name.removesuffix(".weight") for name in self.names]
        rank = self.written_rank
        return {
            "peft_type": "LORA",
            BASE_NAME: self._base_name(),
            "r": rank,
            "lora_alpha": rank,
            "lora_dropout": 0.0,
            "bias": "none",
            "inference_mode": True,
            # As a pattern, so that no other layer whose name ends so gets an adapter.
            "target_modules": "|".join(map(re.escape, modules)),
        }

    def _base_name(self) -> str | None:
        """Return the base's name on the hub, as it or all adapters say it; no path."""
        if found := hub_name(self.merge.base.path):
            return found
        said = {x.weights.config.get(BASE_NAME) for x in self.adapters}
        name = str(said.pop()) if len(said) == 1 else ""
        return name if name.lower().startswith(OPENAI) else None


def _factor_names(name: str) -> tuple[str, str]:
    """Return what PEFT calls A and B of the tensor ``name``."""
    module = PREFIX + name.removesuffix(".weight")
    return f"{module}.lora_A.weight", f"{module}.lora_B.weight"
