"""Development data: what coefficients may be chosen on, and what they may not.

A set is refused if its name has the word test, eval or train, if the experts' directory
of experiments holds scores of it, or if it has an utterance of such a set beside it.
Utterances are the same where id and text are; of a set without texts, where the id is.
"""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from espnet_merge.data.table import read_table
from espnet_merge.errors import InputError
from espnet_merge.files import SCORE_JSON, WAV_SCP

TEST = {"test", "eval"}
TRAINING = {"train", "training"}
# Of a recipe: system, mode, set.
SCORES = f"*/inference_*/*/{SCORE_JSON}"


def check_development(sets: Sequence[Path], experts: Sequence[Path]) -> None:
    """Raise ``InputError`` for a set that coefficients must not be chosen on.

    Args:
        sets: Kaldi data directories.
        experts: directories or files of the experts, as EXPDIR/NAME/model.
    """
    scored = sorted(_scored({expert.resolve().parent.parent for expert in experts}))
    for data in sets:
        if words(data) & TEST:
            _refuse(data, "by its name it is a test set")
        if words(data) & TRAINING:
            _refuse(data, "by its name it is a training set")
        if data.resolve() in scored:
            _refuse(data, "there are scores of it beside the experts")
        beside = sorted(p for p in data.resolve().parent.iterdir() if words(p) & TEST)
        training = sorted(
            path
            for path in data.resolve().parent.iterdir()
            if words(path) & TRAINING and path != data.resolve()
        )
        texts = (data / "text").is_file()
        own = _utterances(data, texts=texts)
        for other in (*scored, *beside, *training):
            if shared := own & _utterances(other, texts=texts):
                _refuse(data, f"{min(shared)[0]} is an utterance of {other}, too")


def words(path: Path) -> set[str]:
    """Return the words in the name of a directory.

    Example:
        >>> sorted(words(Path("dump/raw/es_phone_test2")))
        ['es', 'phone', 'test']
    """
    return set(re.findall("[a-z]+", path.name.lower()))


def _scored(experiments: Collection[Path]) -> Iterator[Path]:
    """Yield the data directories that systems were scored on."""
    references = set()
    for directory in experiments:
        for file in directory.glob(SCORES):
            content = json.loads(file.read_bytes())
            references.add(Path(str(content.get("reference"))).resolve())
    yield from references


def _utterances(data: Path, *, texts: bool) -> set[tuple[str, str]]:
    """Return id and text of each utterance; an empty text where texts do not count."""
    file = data / ("text" if texts else WAV_SCP)
    table = read_table(file) if file.is_file() else {}
    return set(table.items()) if texts else {(name, "") for name in table}


def _refuse(data: Path, why: str) -> None:
    raise InputError(
        f"{data}: coefficients must be chosen on development data, which nothing is"
        f" trained or tested on; {why}: give another set."
    )
