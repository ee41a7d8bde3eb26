"""Merge adapters into one adapter."""

import json
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from espnet_merge.checkpoint import Adapter
from espnet_merge.checkpoint.adapter import ADAPTER_CONFIG, PREFIX, WEIGHTS
from espnet_merge.checkpoint.atomic import whole_directory
from espnet_merge.checkpoint.safetensors import FLOATS, to_stored, write_header
from espnet_merge.errors import InputError
from espnet_merge.merge import Merge, check_overflow
from espnet_merge.methods import METHODS, Site
from espnet_merge.methods._factored import Factored, concatenate, cut
from espnet_merge.provenance import describe, digests, result_of, write_record
from espnet_merge.sites import Sites
from espnet_merge.workers import Workers, one_thread_each

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Methods whose result is a sum of the deltas, which factors can hold exactly.
LINEAR = ("soup", "task_arithmetic")
# Share of the merged energy that is rounding.
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
        if self.rank is None and not (self.is_linear or self.merge.method.factored):
            raise InputError(
                "--output-adapter exact needs a method that sums the deltas,"
                f" {' or '.join(LINEAR)}, or one that merges factors, such as tsv_m;"
                " choose a rank instead."
            )
        shapes = [self.merge.base.entries[name].shape for name in self.names]
        full = max(map(min, shapes), default=0)
        if self.rank is not None and not 1 <= self.rank <= full:
            raise InputError(
                f"--output-adapter: the rank must lie in [1, {full}], got {self.rank};"
                f" {full} is the full rank of the largest layer."
            )

    @cached_property
    def sites(self) -> Sites:
        """What the method sees."""
        merge = self.merge
        return Sites(merge.base, merge.experts, merge.compute_dtype)

    @property
    def adapters(self) -> list[Adapter]:
        """The experts."""
        return [x for x in self.merge.experts if isinstance(x, Adapter)]

    @property
    def is_linear(self) -> bool:
        """Whether the result is a sum of the deltas."""
        return self.merge.method.kind in {METHODS[name] for name in LINEAR}

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
        check: Callable[[dict[str, Any]], None] = lambda record: None,
    ) -> float:
        """Write the adapter, or nothing; return the share of energy that it keeps.

        Args:
            jobs: Number of threads; the bytes do not depend on it.
            check: Looks at the record: before the merge, then with its result.
        """
        self.merge.check_weights()
        kept, whole, checksum = 0.0, 0.0, 0
        with (
            Workers(jobs) as workers,
            one_thread_each(lapack=self.merge.method.factored, torch=False),
            whole_directory(self.merge.output) as directory,
        ):
            record = describe(self.merge, digests(self.merge, workers)) | {
                "format": "adapter",
                "rank": "exact" if self.rank is None else self.rank,
            }
            check(record)
            with (directory / WEIGHTS[0]).open("wb") as file:
                write_header(file, self._plan(), self._metadata())
                for factors, *energy in workers.map(self._factors, self.names):
                    for bits in factors:
                        checksum = zlib.crc32(bits.data, checksum)
                        file.write(bits.data)
                    kept, whole = kept + energy[0], whole + energy[1]
            config = json.dumps(self._config(), indent=2) + "\n"
            (directory / ADAPTER_CONFIG).write_text(config, encoding="utf-8")
            record |= result_of(checksum)
            check(record)
            write_record(directory, record)
        return kept / whole if whole else 1.0

    def _plan(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        plan: dict[str, tuple[str, tuple[int, ...]]] = {}
        dtype, rank = FLOATS[self.merge.dtype], self.written_rank
        for name in self.names:
            rows, columns = self.merge.base.entries[name].shape
            module = PREFIX + name.removesuffix(".weight")
            plan[f"{module}.lora_A.weight"] = (dtype, (rank, columns))
            plan[f"{module}.lora_B.weight"] = (dtype, (rows, rank))
        return plan

    def _factors(self, name: str) -> tuple[list["NDArray[Any]"], float, float]:
        """Return the stored bits of A and B, and the energy kept and whole."""
        import numpy as np

        kept = whole = 0.0
        merged = self._sum(name) if self.is_linear else self._whole(name)
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
        missing = self.written_rank - delta.b.shape[1]
        a = np.pad(delta.a, ((0, missing), (0, 0)))
        b = np.pad(delta.b * delta.scale, ((0, 0), (0, missing)))
        dtype = FLOATS[self.merge.dtype]
        for factor in (a, b):
            check_overflow(name, factor, dtype)
        return [to_stored(factor, dtype).ravel() for factor in (a, b)], kept, whole

    def _rank(self, name: str) -> int:
        """Return the sum of the experts' ranks."""
        return sum(x.rank(name) for x in self.adapters if name in x.scales)

    def _sum(self, name: str) -> Factored:
        """Put the factors of all experts side by side."""
        import numpy as np

        # What a sum makes of ones and zeros is the coefficient of each expert.
        units = np.eye(len(self.adapters))
        site = Site(name=name, base=np.zeros(1))
        rule = self.merge.method.at(name)
        parts = []
        for adapter, unit in zip(self.adapters, units, strict=True):
            if name in adapter.scales:
                (weight,) = rule([unit[i : i + 1] for i in range(len(units))], site)
                delta = self.sites.delta(adapter, name)
                parts.append((float(weight), delta))
        return concatenate(parts)

    def _whole(self, name: str) -> "Factored | NDArray[Any]":
        """Merge by any method; those that work on factors may return some."""
        import numpy as np

        method = self.merge.method.at(name)
        rule = self.sites.rule(method, name)
        parts = []
        for site, tensors in self.sites.parts(method, name):
            merged = rule(tensors, site)
            if isinstance(merged, Factored):
                return merged
            if self.merge.method.space == "weights":
                merged = merged - site.base
            parts.append(np.asarray(merged).ravel())
        return np.concatenate(parts).reshape(self.merge.base.entries[name].shape)

    def _metadata(self) -> dict[str, str]:
        known = [x.base_sha256 for x in self.adapters if x.base_sha256]
        return {"base_sha256": known[0]} if known else {}

    def _config(self) -> dict[str, Any]:
        modules = [name.removesuffix(".weight") for name in self.names]
        bases = {x.weights.config.get("base_model_name_or_path") for x in self.adapters}
        rank = self.written_rank
        return {
            "peft_type": "LORA",
            "base_model_name_or_path": bases.pop() if len(bases) == 1 else None,
            "r": rank,
            "lora_alpha": rank,
            "lora_dropout": 0.0,
            "bias": "none",
            "inference_mode": True,
            # As a pattern, so that no other layer whose name ends so gets an adapter.
            "target_modules": "|".join(map(re.escape, modules)),
        }
