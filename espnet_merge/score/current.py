"""Whether a ``score.json`` is current: same texts, and the rules of this version."""

import functools
import hashlib
import json
import unicodedata
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from espnet_merge.errors import InputError
from espnet_merge.files import (
    RESULT_TXT,
    SCORE_JSON,
    TEXT_JSON,
    UTT2LANG,
    UTT2SPK,
    UTT2TASK,
)
from espnet_merge.score.evaluate import ERROR_RATES, usual_metrics

# Modules that decide a rate. Their content is hashed, so no change is overlooked.
_OWN = ("characters", "counts", "evaluate", "languages", "normalize", "signs")
# Packages whose rules and tables a normaliser uses.
_PACKAGES = {
    "whisper": ("transformers", "whisper-normalizer"),
    "simplified": ("opencc",),
}
_REFERENCE = ("text", UTT2LANG, UTT2SPK, UTT2TASK)
_HYPOTHESIS = ("text", TEXT_JSON)


@functools.cache
def rules_digest(normalizer: str) -> str:
    """Return the digest of everything that decides the rate of two given texts.

    It covers the rules and tables of this package, the versions of the packages that
    the normaliser uses, and the version of Unicode.
    """
    own = [_of_file(Path(__file__).with_name(f"{name}.py")) for name in _OWN]
    others = [f"{name} {version(name)}" for name in _PACKAGES.get(normalizer, ())]
    return _of_all([*own, *others, f"Unicode {unicodedata.unidata_version}"])


def inputs_digest(reference: Path, hypothesis: Path) -> str:
    """Return the digest of the files that are scored, absent ones included."""
    paths = [reference / name for name in _REFERENCE]
    paths += [hypothesis / name for name in _HYPOTHESIS]
    return _of_all([_of_file(path) if path.is_file() else "none" for path in paths])


def is_current(
    reference: Path, hypothesis: Path, normalizer: str, metrics: Sequence[str] | None
) -> bool:
    """Return whether scoring again would write the score that is already there.

    Args:
        reference: Kaldi data directory.
        hypothesis: directory with the hypotheses, and their score if there is one.
        normalizer: name of the requested normaliser.
        metrics: requested metrics; None for the usual ones.
    """
    try:
        score = json.loads((hypothesis / SCORE_JSON).read_bytes())
        wanted = dict.fromkeys(metrics or usual_metrics(score["tasks"]))
        measured = list(score["metrics"])
    except (OSError, ValueError, TypeError, KeyError):
        return False
    facts = {
        "reference": str(reference),
        "normalizer": normalizer,
        "rules_digest": rules_digest(normalizer),
        "inputs_digest": inputs_digest(reference, hypothesis),
    }
    tables = [name for name in measured if name in ERROR_RATES]
    return (
        measured == list(wanted)
        and "baseline" not in score
        and all(score.get(key) == value for key, value in facts.items())
        and all((hypothesis / f"score_{n}" / RESULT_TXT).is_file() for n in tables)
    )


def check_rules(path: Path, score: Mapping[str, Any]) -> None:
    """Check that a score was computed by the current rules of its normaliser.

    Raises:
        InputError: it was computed by other rules.
    """
    name = score.get("normalizer")
    if score.get("rules_digest") != rules_digest(str(name)):
        raise InputError(
            f"{path}: must be made by the rules that normalizer {name!r} has in this "
            "version; it was made by others: score again."
        )


def _of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _of_all(parts: Sequence[str]) -> str:
    # Half of the digest is enough to tell versions apart, and can be compared by eye.
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
