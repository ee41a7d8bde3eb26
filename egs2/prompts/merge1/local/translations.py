"""Spoken prompts beside what they say in English: speech translation.

The prompts have the same keys in every language, so that the English text of a key is
the translation of what is spoken under it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

from recordings import name_of
from sentences import SPLITS, clean, flaw, plain, split_of

from espnet_merge.data.kaldi import KaldiUtterance
from espnet_merge.speech import TRANSLATE


def translated(
    spoken: Mapping[str, list[KaldiUtterance]],
    language: str,
    english: Mapping[str, str],
    dropped: Counter[str],
) -> Iterator[tuple[str, KaldiUtterance]]:
    """Yield split and utterance of what can be translated into English.

    Two keys may have one English text, and be in two splits. It stays in the one that
    matters more, whatever the language: the texts of all keys decide, not only of
    those that are spoken in this language.

    Args:
        spoken: split -> utterances of the recognition sets.
        language: that is spoken.
        english: key -> text, of all prompts.
        dropped: is counted up: reason -> utterances.
    """
    texts = {name_of(language, key): clean(text) for key, text in english.items()}
    splits: dict[str, str] = {}
    for key in sorted(english, key=lambda key: SPLITS.index(split_of(key))):
        splits.setdefault(plain(clean(english[key])), split_of(key))
    for split, utterances in spoken.items():
        for utterance in utterances:
            text = texts.get(utterance.name)
            if text is None:
                dropped["no English text"] += 1
            elif reason := flaw(text):
                dropped[f"English: {reason}"] += 1
            elif splits[plain(text)] != split:
                dropped["English text of another split"] += 1
            else:
                key = utterance.name.removeprefix(f"{language}-")
                # Sets of both tasks are combined: no name may be in two of them.
                name = f"{language}-en-{key}"
                yield split, replace(utterance, name=name, text=text, task=TRANSLATE)
