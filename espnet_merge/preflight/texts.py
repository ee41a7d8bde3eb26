"""Texts that do not suit their language or their audio."""

import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence

import langcodes
import regex

from espnet_merge.files import UTT2LANG, UTT2TASK
from espnet_merge.installation import Finding
from espnet_merge.preflight.sets import Checked, note
from espnet_merge.speech import SAMPLE_RATE, TRANSLATE

# Scripts, by ISO 15924, that are written together.
PARTS = {
    "Hans": ("Hani",),
    "Hant": ("Hani",),
    "Jpan": ("Hani", "Hira", "Kana"),
    "Kore": ("Hang", "Hani"),
}
# Other scripts than the usual one in which a language is written today.
ALSO = {
    "az": ("Cyrl", "Arab"),
    "bs": ("Cyrl",),
    "ha": ("Arab",),
    "kk": ("Latn", "Arab"),
    "mn": ("Mong",),
    "ms": ("Arab",),
    "pa": ("Arab",),
    "sd": ("Deva",),
    "sr": ("Latn",),
    "tg": ("Latn",),
    "tk": ("Cyrl",),
    "tt": ("Latn",),
    "uz": ("Cyrl",),
}
# Times the usual letters a second, or less than this part of them; of sets that have
# enough utterances to know what is usual.
FACTOR, ENOUGH = 4, 20


def wrong_script(sets: Sequence[Checked]) -> Iterator[Finding]:
    """Yield how many texts have most of their letters in another script."""
    for split in dict.fromkeys(one.split for one in sets):
        own = [one for one in sets if one.split == split]
        hits = [
            f"{one.example(name)} in {language}"
            for one in own
            for name in one.report.kept
            for language in [_written(one, name)]
            if not suits(one.tables["text"].get(name, ""), language)
        ]
        yield note(
            f"wrong script in {split}",
            hits,
            sum(len(one.report.kept) for one in own),
            "correct utt2lang, or the texts",
        )


def _written(one: Checked, name: str) -> str:
    """Return the language of a text; a translation is English."""
    translated = one.tables[UTT2TASK].get(name) == TRANSLATE
    return "en" if translated else one.tables[UTT2LANG].get(name, "")


def suits(text: str, language: str) -> bool:
    """Return whether half of the letters are of a script of the language.

    >>> [suits("Пока", "ru"), suits("Poka", "ru"), suits("OK, пока", "ru")]
    [True, False, True]
    >>> [suits("7", "ru"), suits("Zdravo", "sr"), suits("日本の", "ja")]
    [True, True, True]
    """
    scripts = scripts_of(language)
    letters = len(regex.findall(r"\p{L}", text))
    if not scripts or not letters:
        return True
    own = "".join(rf"\p{{sc={script}}}" for script in scripts)
    return 2 * len(regex.findall(rf"[[{own}]&&\p{{L}}]", text, regex.V1)) >= letters


def scripts_of(language: str) -> tuple[str, ...]:
    """Return the scripts of a language, by ISO 15924; none if they are not known."""
    usual = langcodes.Language.get(language).maximize().script
    if not usual:
        return ()
    return (*PARTS.get(usual, (usual,)), *ALSO.get(language, ()))


def unlikely_speed(sets: Sequence[Checked]) -> Iterator[Finding]:
    """Yield how many texts are far too long, or too short, for their audio."""
    for split in dict.fromkeys(one.split for one in sets):
        speeds: defaultdict[str, dict[str, float]] = defaultdict(dict)
        for one in sets:
            for name, samples in one.report.kept.items() if one.split == split else ():
                letters = regex.findall(
                    r"[\p{L}\p{N}]", one.tables["text"].get(name, "")
                )
                speed = len(letters) * SAMPLE_RATE / samples
                speeds[_written(one, name)][one.example(name)] = speed
        hits = []
        for own in speeds.values():
            usual = statistics.median(own.values())
            odd = (usual / FACTOR, usual * FACTOR) if len(own) >= ENOUGH else None
            hits += [
                f"{example} {speed:.1f} letters a second, usual {usual:.1f}"
                for example, speed in own.items()
                if odd and not odd[0] <= speed <= odd[1]
            ]
        yield note(
            f"text for the audio in {split}",
            hits,
            sum(map(len, speeds.values())),
            "listen to them: the text may be another's, or the recording mostly silent",
        )
