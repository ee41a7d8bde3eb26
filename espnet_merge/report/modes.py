"""Decoding modes: which may be compared in one table, and their description."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from espnet_merge.checkpoint.padding import KEY, PUBLISHED, Padding

PADDING = Padding._fields
# Settings of decoding that change the hypotheses; the others change only the time.
SETTINGS = (
    *PADDING,
    *("beam", "early_stopping", "language", "languages", "task"),
    *("timestamps", "temperatures", "max_compression", "min_log_probability"),
    *("no_speech", "max_new_tokens", "backend", "dtype"),
)


def is_as_trained(mode: Mapping[str, Any]) -> bool:
    """Return whether a system was decoded with the padding of its training.

    A system without a record is treated like the published Whisper.

    >>> is_as_trained({"pad_to": 0.0, "tail": 4.0, "trained": {"pad_to": 0, "tail": 4}})
    True
    >>> is_as_trained({"pad_to": 0.0, "tail": 4.0})
    False
    """
    trained = mode.get(KEY) or PUBLISHED._asdict()
    usual = PUBLISHED._asdict()
    return all(mode.get(name, usual[name]) == trained[name] for name in PADDING)


def compared_settings(a: Mapping[str, Any], b: Mapping[str, Any]) -> Sequence[str]:
    """Return the settings that must be equal in the modes of two systems of one table.

    Each system may have the padding of its training; all other settings must be equal.
    """
    free = PADDING if is_as_trained(a) and is_as_trained(b) else ()
    return [name for name in SETTINGS if name not in free]


def describe_mode(settings: Mapping[str, Any]) -> str:
    """Return a decoding mode in words.

    >>> describe_mode({"pad_to": 30, "beam": 1, "language": None})
    'padded to 30 s, greedy, language given'
    """
    if not settings:
        return "decoding mode unknown"
    beam, language = settings.get("beam"), settings.get("language")
    backend, dtype = settings.get("backend"), settings.get("dtype")
    parts = [
        describe_padding(settings),
        "greedy" if beam == 1 else f"beam {beam}" if beam else "",
        f"language {language or 'given'}",
        "" if backend in (None, "torch") else f"by {backend}",
        "" if dtype in (None, "float32") else f"{dtype}",
        "with fallback" if settings.get("temperatures") else "",
    ]
    return ", ".join(filter(None, parts))


def paddings_by_system(
    modes: Iterable[tuple[str, Mapping[str, Any]]],
) -> Mapping[str, str]:
    """Return the padding of each system in words; nothing if all have the same.

    A routed system may have hypotheses of the experts and of the base.

    Args:
        modes: a system, and the mode of some of its hypotheses.
    """
    found: defaultdict[str, list[str]] = defaultdict(list)
    for system, mode in modes:
        found[system].append(describe_padding(mode))
    paddings = {name: " or ".join(dict.fromkeys(own)) for name, own in found.items()}
    return paddings if len(set(paddings.values())) > 1 else {}


def describe_padding(settings: Mapping[str, Any]) -> str:
    """Return the padding in words; an empty text if it is unknown."""
    pad_to = settings.get("pad_to")
    return "" if pad_to is None else str(Padding(pad_to, settings.get("tail") or 0))
