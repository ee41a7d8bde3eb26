"""Training a router on the experts' training sets, and testing it on held-out sets."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from espnet_merge.decode.batches import batches
from espnet_merge.decode.expert import check_expert, load_expert
from espnet_merge.decode.router import Router, features
from espnet_merge.decode.settings import Settings
from espnet_merge.decode.torch_backend import TorchBackend
from espnet_merge.decode.utterances import Utterance, evenly_spaced, read_utterances
from espnet_merge.disk.atomic import whole_directory
from espnet_merge.disk.cache import default_cache
from espnet_merge.disk.digest import sha256_of_all
from espnet_merge.errors import InputError
from espnet_merge.files import ROUTER_JSON
from espnet_merge.inspection.tables import aligned
from espnet_merge.lora.adapter import base_digest
from espnet_merge.whisper.converted import as_directory
from espnet_merge.whisper.fetched import languages_of
from espnet_merge.whisper.model import Encoded
from espnet_merge.whisper.prompt import load_tokenizer

# Iterations of L-BFGS at most; it converges much earlier.
MAX_ITERATIONS = 10_000


@dataclass(frozen=True)
class Trained:
    """A router and its accuracy; printed, a confusion table of the held-out sets.

    Attributes:
        router: the classifier.
        record: further content of ``router.json``: the data; ``confusion``, for each
            name of the held-out utterances how often each name was chosen; and
            ``accuracy``, in percent.
    """

    router: Router
    record: dict[str, Any]

    def __repr__(self) -> str:
        names = self.router.names
        table = [["held out", *names, "accuracy %"]]
        for name, row in self.record["confusion"].items():
            share = 100 * row[name] / sum(row.values())
            table.append([name, *(str(row[n]) for n in names), f"{share:.1f}"])
        return "\n".join(
            [*aligned(table), f"accuracy: {self.record['accuracy']:.1f} %"]
        )

    def write(self, output: Path, *, overwrite: bool = False) -> None:
        """Write ``router.safetensors`` and ``router.json``.

        Args:
            output: directory to write.
            overwrite: whether to replace an older router there.
        """
        with whole_directory(output, ROUTER_JSON, overwrite=overwrite) as folder:
            self.router.save(folder, self.record)


def train_router(
    model: Path,
    train: Mapping[str, Path],
    valid: Mapping[str, Path],
    settings: Settings,
    *,
    c: float,
    utterances: int | None = None,
) -> Trained:
    """Train a router. Nothing is random: the same data give the same bytes.

    Args:
        model: frozen base: Whisper directory, or OpenAI's file.
        train: name -> Kaldi data directory for training.
        valid: the same names -> held-out data directory for testing.
        settings: padding, batch size and device; other settings have no effect.
        c: inverse of the strength of the L2 penalty.
        utterances: number of utterances of each training set, evenly spaced; None for
            all.

    Raises:
        InputError: there is only one name, ``valid`` has other names, or data are bad.
    """
    _check_names(train, valid)
    path = as_directory(model, default_cache())
    check_expert(path, None)
    known = languages_of(path)
    learnt = {
        name: evenly_spaced(read_utterances(data, known=known), utterances)
        for name, data in train.items()
    }
    held_out = {n: read_utterances(data, known=known) for n, data in valid.items()}
    torch.set_num_threads(settings.threads)
    whisper = load_expert(path, device=settings.device)
    backend = TorchBackend(whisper, load_tokenizer(path), settings)
    found = [
        np.concatenate(list(map(features, _encoded(backend, own, name))))
        for name, own in learnt.items()
    ]
    weight, bias = fit(found, c)
    digest = base_digest(whisper)
    router = Router(tuple(train), weight, bias, settings.padding, digest)
    confusion = {
        name: _chosen(router, backend, own, name) for name, own in held_out.items()
    }
    right = sum(row[name] for name, row in confusion.items())
    total = sum(map(len, held_out.values()))
    record = {
        "model": str(model),
        "c": c,
        "train": _described(train, learnt),
        "valid": _described(valid, held_out),
        "confusion": confusion,
        "accuracy": 100 * right / total,
        "versions": {
            name: version(name) for name in ("espnet_merge", "scikit-learn", "torch")
        },
    }
    return Trained(router, record)


def fit(
    classes: list[NDArray[np.float32]], c: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return weight (names, columns) and bias (names,) of a softmax over the names.

    Features are standardised, which is then folded into weight and bias. All names have
    the same weight in the loss, however many utterances each has.

    Args:
        classes: features (utterances, columns) of each name.
        c: inverse of the strength of the L2 penalty.
    """
    rows = np.concatenate(classes).astype(np.float64)
    labels = np.repeat(np.arange(len(classes)), list(map(len, classes)))
    scaler = StandardScaler().fit(rows)
    model = LogisticRegression(C=c, class_weight="balanced", max_iter=MAX_ITERATIONS)
    model.fit(scaler.transform(rows), labels)
    weight, bias = model.coef_, model.intercept_
    if len(classes) == 2:  # scikit-learn has one row: the second name against zero
        weight, bias = (np.stack([0 * part[0], part[0]]) for part in (weight, bias))
    weight = weight / scaler.scale_
    bias = bias - weight @ scaler.mean_
    return weight.astype(np.float32), bias.astype(np.float32)


def _check_names(train: Mapping[str, Path], valid: Mapping[str, Path]) -> None:
    if len(train) < 2:
        raise InputError(
            f"--train must name at least two data sets to choose between; got "
            f"{', '.join(train) or 'none'}: add NAME=DATADIR."
        )
    if odd := sorted(train.keys() ^ valid.keys()):
        raise InputError(
            f"--train and --valid must have the same names; only one of them has "
            f"{', '.join(odd)}: add NAME=DATADIR to the other."
        )


def _encoded(
    backend: TorchBackend, utterances: list[Utterance], name: str
) -> Iterator[Encoded]:
    """Yield the output of the base's encoder for each batch."""
    with tqdm(desc=name, total=len(utterances), unit="utt", disable=None) as bar:
        for batch in batches(utterances, backend.settings.batch_size):
            with torch.inference_mode():
                yield backend.encode(batch)
            bar.update(len(batch))


def _chosen(
    router: Router, backend: TorchBackend, utterances: list[Utterance], name: str
) -> dict[str, int]:
    """Return for how many utterances each name was chosen."""
    counts = Counter(
        choice.name
        for encoded in _encoded(backend, utterances, name)
        for choice in router(encoded)
    )
    return {name: counts[name] for name in router.names}


def _described(
    places: Mapping[str, Path], sets: Mapping[str, list[Utterance]]
) -> dict[str, Any]:
    return {
        name: {
            "data": str(places[name]),
            "utterances": len(own),
            "audio_sha256": sha256_of_all(one.audio for one in own),
        }
        for name, own in sets.items()
    }
