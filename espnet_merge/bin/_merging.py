"""Options shared by the commands that inspect or merge base and experts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from espnet_merge.merging.config import read_params
from espnet_merge.options import AnyPath, Option, Options
from espnet_merge.whisper.source import model_option
from espnet_merge.workers import cores

BASE = model_option("model from which the experts were trained", metavar="PATH")
EXPERTS = model_option(
    "models or adapters of the base: Hugging Face or PEFT directories, OpenAI's .pt,"
    " ESPnet's .pth",
    metavar="PATH",
)


@dataclass(frozen=True, kw_only=True)
class Models(Options):
    """Base and experts."""

    base: Annotated[AnyPath, BASE]
    experts: Annotated[Sequence[AnyPath], EXPERTS]


@dataclass(frozen=True, kw_only=True)
class Machine(Options):
    """How a merge is computed; the result does not depend on it."""

    jobs: Annotated[
        int,
        Option(
            "number of threads",
            default="the available cores, at most 8",
            least=1,
            metavar="N",
        ),
    ] = field(default_factory=cores)
    device: Annotated[
        Literal["cpu", "cuda"], Option("where matrices are decomposed")
    ] = "cpu"


@dataclass(frozen=True, kw_only=True)
class Execution(Machine):
    """What may be replaced."""

    overwrite: Annotated[bool, Option("replace an older merge in --output")] = False


@dataclass(frozen=True, kw_only=True)
class Stored(Execution):
    """How the merge is stored."""

    dtype: Annotated[
        Literal["float32", "float16", "bfloat16"], Option("type of the merged weights")
    ] = "float32"
    compute_dtype: Annotated[
        Literal["float32", "float64"], Option("type of the arithmetic")
    ] = "float32"
    format: Annotated[
        Literal["hf", "openai", "espnet"] | None,
        Option("format of the output", default="that of the base"),
    ] = None

    def inputs(self, base: AnyPath, experts: Sequence[AnyPath]) -> dict[str, Any]:
        """Return the arguments of ``Merge`` that all merges of these inputs share."""
        from espnet_merge.merging.planned import opened

        return opened(Path(base), [Path(expert) for expert in experts]) | {
            "format": self.format,
            "dtype": self.dtype,
            "compute_dtype": self.compute_dtype,
            "overwrite": self.overwrite,
        }


@dataclass(frozen=True, kw_only=True)
class Result(Stored):
    """How the experts are merged."""

    params: Annotated[
        Mapping[str, Any],
        Option(
            "parameters of the method; they override those of --config",
            flag="--set",
            nargs="+",
            action="extend",
            metavar="KEY=VALUE",
            read=read_params,
        ),
    ] = field(default_factory=dict)
    weights: Annotated[
        Sequence[float] | None, Option("one weight for each expert", metavar="W")
    ] = None
    calibrate: Annotated[
        Literal["none", "svc"] | None,
        Option(
            "step after the merge: svc brings singular values back to what the experts"
            " have of them"
        ),
    ] = None

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of the method, also those that have an option of their own."""
        weights = {} if self.weights is None else {"weights": list(self.weights)}
        step = {} if self.calibrate is None else {"calibrate": self.calibrate}
        return {**self.params, **weights, **step}
