"""A router: a classifier that chooses the expert of an utterance by its audio.

It is a linear map of the mean of the frozen base's encoder states. It chooses between
the names of its training sets: languages, domains of one language, or both.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from espnet_merge.checkpoint.identity import ROUTER_WEIGHTS
from espnet_merge.checkpoint.padding import Padding
from espnet_merge.errors import InputError
from espnet_merge.files import ROUTER_JSON
from espnet_merge.whisper.context import masked_mean
from espnet_merge.whisper.model import Encoded

FORMAT = 1


class Choice(NamedTuple):
    """A name of the router, and its probability among all names."""

    name: str
    probability: float


@dataclass(frozen=True)
class Router:
    """A linear classifier of utterances.

    Attributes:
        names: names to choose from.
        weight: (names, d_model), float32.
        bias: (names,), float32.
        padding: padding of the utterances in its training.
        base_sha256: digest of the base whose states it takes.
        path: directory that it was read from.
    """

    names: tuple[str, ...]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    padding: Padding
    base_sha256: str
    path: Path = Path()

    def __call__(self, encoded: Encoded) -> list[Choice]:
        """Return the most probable name of each utterance.

        Args:
            encoded: output of the base's encoder for a batch.
        """
        scores = features(encoded) @ self.weight.T + self.bias
        chances = torch.from_numpy(scores).softmax(-1)
        best = chances.max(-1)
        return [
            Choice(self.names[index], probability)
            for index, probability in zip(
                best.indices.tolist(), best.values.tolist(), strict=True
            )
        ]

    def save(self, directory: Path, record: dict[str, Any]) -> None:
        """Write the router into an existing directory.

        Args:
            directory: existing directory.
            record: further content of ``router.json``.
        """
        # save_file takes bytes as they lie, which scikit-learn may leave by columns.
        weights = {
            name: np.ascontiguousarray(array)
            for name, array in (("weight", self.weight), ("bias", self.bias))
        }
        save_file(weights, directory / ROUTER_WEIGHTS, metadata={"format": "np"})
        content = {
            "format": FORMAT,
            "names": self.names,
            "base_sha256": self.base_sha256,
            **self.padding._asdict(),
            **record,
        }
        text = json.dumps(content, indent=1, ensure_ascii=False)
        (directory / ROUTER_JSON).write_text(f"{text}\n", "utf-8")


def load_router(directory: Path) -> Router:
    """Read a router.

    Args:
        directory: directory that ``Router.save`` wrote.

    Raises:
        InputError: files are missing or broken, or do not fit each other.
    """
    try:
        record = json.loads((directory / ROUTER_JSON).read_text("utf-8"))
        version, names = record["format"], tuple(record["names"])
        padding = Padding(record["pad_to"], record["tail"])
        base_sha256 = record["base_sha256"]
        weights = load_file(directory / ROUTER_WEIGHTS)
        weight, bias = weights["weight"], weights["bias"]
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise InputError(
            f"{directory}: --router must be what 'espnet-merge router' writes; "
            f"{type(error).__name__} {error}: train it anew."
        ) from error
    if version != FORMAT:
        raise InputError(
            f"{directory}: format of a router must be {FORMAT}; got {version!r}: use "
            "the version of espnet_merge that wrote it."
        )
    if len(weight) != len(names) or bias.shape != (len(names),):
        raise InputError(
            f"{directory}: {ROUTER_WEIGHTS} must have a row for each of the names of "
            f"{ROUTER_JSON}, {', '.join(names)}; got {len(weight)}: train it anew."
        )
    return Router(names, weight, bias, padding, base_sha256, directory)


def features(encoded: Encoded) -> NDArray[np.float32]:
    """Return the router's input: the mean state (batch, d_model) of each utterance.

    The mean includes the positions of added silence. With these alone the router is
    more accurate than with those of the utterance alone (docs/routing.md).

    Args:
        encoded: output of the base's encoder.
    """
    mean = masked_mean(encoded.states, encoded.mask)[:, 0]
    found: NDArray[np.float32] = mean.float().cpu().numpy()
    return found
