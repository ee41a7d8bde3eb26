"""In which modes systems were decoded, and which of them stand in one table."""

from collections.abc import Mapping, Sequence
from typing import Any

from espnet_merge.checkpoint.padding import KEY, PUBLISHED, Padding

PADDING = Padding._fields
# Settings of decoding that change the hypotheses; the others change the time.
SETTINGS = (
    *PADDING,
    *("beam", "early_stopping", "language", "languages", "task"),
    *("timestamps", "temperatures", "max_compression", "min_log_probability"),
    *("no_speech", "max_new_tokens", "backend", "dtype"),
)


def is_as_trained(mode: Mapping[str, Any]) -> bool:
    """Tell whether a system was decoded as it was trained, by its own record.

    Without a record it is taken for Whisper as it was published.

    >>> is_as_trained({"pad_to": 0.0, "tail": 4.0, "trained": {"pad_to": 0, "tail": 4}})
    True
    >>> is_as_trained({"pad_to": 0.0, "tail": 4.0})
    False
    """
    trained = mode.get(KEY) or PUBLISHED._asdict()
    usual = PUBLISHED._asdict()
    return all(mode.get(name, usual[name]) == trained[name] for name in PADDING)


def compared(one: Mapping[str, Any], other: Mapping[str, Any]) -> Sequence[str]:
    """Return the settings that must be equal in two systems of one table.

    Each may hear the silence that it was trained with; all else must be equal.
    """
    free = PADDING if is_as_trained(one) and is_as_trained(other) else ()
    return [name for name in SETTINGS if name not in free]


def describe(settings: Mapping[str, Any]) -> str:
    """Say how was decoded.

    >>> describe({"pad_to": 30, "beam": 1, "language": None})
    'padded to 30 s, greedy, language given'
    """
    if not settings:
        return "decoding mode unknown"
    beam, language = settings.get("beam"), settings.get("language")
    backend, dtype = settings.get("backend"), settings.get("dtype")
    parts = [
        silence(settings),
        "greedy" if beam == 1 else f"beam {beam}" if beam else "",
        f"language {language or 'given'}",
        "" if backend in (None, "torch") else f"by {backend}",
        "" if dtype in (None, "float32") else f"{dtype}",
        "with fallback" if settings.get("temperatures") else "",
    ]
    return ", ".join(filter(None, parts))


def silence(settings: Mapping[str, Any]) -> str:
    """Say what was heard after each utterance; nothing where it is unknown."""
    pad_to = settings.get("pad_to")
    return "" if pad_to is None else str(Padding(pad_to, settings.get("tail") or 0))
