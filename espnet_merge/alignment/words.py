"""When words begin and end: by attention, by a reference, and how far these differ."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from espnet_merge.alignment.attention import POSITIONS
from espnet_merge.arrays import Array, Float
from espnet_merge.errors import InputError

if TYPE_CHECKING:
    from transformers import WhisperTokenizer


class Word(NamedTuple):
    """A word and when it is said, in seconds."""

    text: str
    start: float
    end: float


def read_ctm(path: Path) -> dict[str, list[Word]]:
    """Return utterance -> words of a CTM file, in the order of time.

    A line is ``UTTERANCE CHANNEL START DURATION WORD``, times in seconds, as Kaldi's
    ``get_train_ctm.sh`` and NIST's tools write it; a confidence may follow.

    Raises:
        InputError: there is no such file, or a line has another form.
    """
    words: dict[str, list[Word]] = {}
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: a CTM file is needed; {error}.") from error
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith(";;"):
            continue
        try:
            name, _, start, duration, text, *_ = line.split()
            begin, length = float(start), float(duration)
        except ValueError:
            raise InputError(
                f"{path}: line {number} must be UTTERANCE CHANNEL START DURATION WORD; "
                f"got {line!r}."
            ) from None
        words.setdefault(name, []).append(Word(text, begin, begin + length))
    return {
        name: sorted(said, key=lambda word: word.start) for name, said in words.items()
    }


def last_tokens(tokenizer: "WhisperTokenizer", ids: Sequence[int]) -> list[int]:
    """Return the index of each word's last token; a word begins with a space."""
    begins = [tokenizer.decode([token]).startswith(" ") for token in ids]
    return [i for i in range(len(ids)) if i + 1 == len(ids) or begins[i + 1]]


def row_begins(matrix: Float[Array, "rows positions"]) -> NDArray[np.int64]:
    """Return the position at which each row begins on the best monotone path.

    By dynamic time warping, which maximises the sum of the matrix along the path.
    """
    from librosa.sequence import dtw

    _, path = dtw(C=-matrix.astype(np.float64))
    rows, positions = path[::-1].T
    first: NDArray[np.int64] = positions[np.unique(rows, return_index=True)[1]]
    return first


def boundaries(
    matrix: Float[Array, "rows positions"], last: Sequence[int]
) -> NDArray[np.float64]:
    """Return the end of each word in seconds, which is the start of the next.

    Args:
        matrix: attention, its first row before the first token.
        last: index of each word's last token.
    """
    ends: NDArray[np.float64] = row_begins(matrix)[np.asarray(last) + 1] / POSITIONS
    return ends


def errors(ends: NDArray[np.float64], words: Sequence[Word]) -> NDArray[np.float64]:
    """Return the absolute errors of all ends, and of all starts but the first, in s.

    The first word starts at 0 for every head.
    """
    said = np.array([word.end for word in words]), np.array([w.start for w in words])
    return np.abs(np.concatenate([ends - said[0], ends[:-1] - said[1][1:]]))


def summary(found: NDArray[np.float64]) -> Mapping[str, float]:
    """Return what is told of errors: milliseconds, and shares in percent."""
    within = {f"within {ms} ms": 100 * np.mean(found <= ms / 1000) for ms in TOLERANCES}
    return {"median": 1000 * np.median(found), "mean": 1000 * np.mean(found), **within}


TOLERANCES = (50, 100, 200)  # ms
