r"""Similarity of languages, as a frozen Whisper hears them.

.. math::
    s(a, b) = \frac{1}{|D_a|} \sum_{x \in D_a} p(b \mid x), \qquad
    p(b \mid x) = \frac{e^{z_b(x)}}{\sum_{c \in C} e^{z_c(x)}}

:math:`z_b(x)` is the base's score of the token of language b after
``<|startoftranscript|>``, :math:`D_a` the utterances of language a, C the candidates.

Source: Song et al., *LoRA-Whisper*, Interspeech 2024, Sec. 3.2,
https://arxiv.org/abs/2406.06619: warm start from the most similar trained language.
Departures: the paper gives no legible formula; this one is ours. If a is a candidate
itself, it takes most of the probability, and the utterances on which the model is
unsure decide the order of the others. Without a, all utterances count equally.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from espnet_merge.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class Nearest(NamedTuple):
    """A language, and its fraction of the similarity to all requested languages."""

    language: str
    fraction: float


def mean_posterior(batches: "Iterable[ArrayLike]") -> "NDArray[np.float64]":
    """Return the mean over utterances; only one batch is in memory.

    Args:
        batches: each (utterances, candidates), with rows that sum to one.

    Returns:
        (candidates,), which sums to one.

    Example:
        >>> mean_posterior([[[0.5, 0.5], [1.0, 0.0]], [[0.0, 1.0]]])
        array([0.5, 0.5])
    """
    total: NDArray[np.float64] = np.zeros(1)
    count = 0
    for batch in batches:
        rows = np.asarray(batch, np.float64)
        total = total + rows.sum(axis=0)
        count += len(rows)
    return total / count


def ranked(row: Mapping[str, float], among: Collection[str]) -> list[Nearest]:
    """Return the languages of ``among``, the most similar first.

    Args:
        row: similarity of one language to each candidate, in [0, 1].
        among: languages to choose from; ties are in the order of their codes.

    Raises:
        InputError: a language is no candidate, or there is none to choose from.

    Example:
        >>> ranked({"es": 0.125, "it": 0.375, "ru": 0.5}, ["es", "it"])[0]
        Nearest(language='it', fraction=0.75)
    """
    if not among:
        raise InputError("the most similar language needs some to choose from: none.")
    if odd := sorted(set(among) - set(row)):
        raise InputError(
            f"similarity must be known of each language to choose from; it is not of "
            f"{', '.join(odd)}: run espnet-merge similarity with --languages "
            f"{','.join(sorted(among))}."
        )
    total = sum(row[language] for language in among)
    order = sorted(among, key=lambda language: (-row[language], language))
    return [Nearest(language, row[language] / total) for language in order]


def read_similarity(path: Path) -> dict[str, Any]:
    """Read the file that ``espnet-merge similarity`` wrote.

    Raises:
        InputError: the file is missing or of another kind.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        rows = {code: dict(row) for code, row in content["similarity"].items()}
        return {"base_sha256": str(content["base_sha256"]), "similarity": rows}
    except (OSError, ValueError, TypeError, AttributeError, LookupError) as error:
        raise InputError(
            f"{path}: must be the similarity.json of espnet-merge similarity; "
            f"{type(error).__name__}: {error}."
        ) from error
