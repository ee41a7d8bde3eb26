"""Text normalisers by name; some have a special rule for some languages."""

import functools
import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING

from espnet_merge.errors import InputError
from espnet_merge.score.characters import visible
from espnet_merge.score.languages import CHINESE, LETTER_MARKS

if TYPE_CHECKING:
    from opencc import OpenCC

Rule = Callable[[str], str]

# Letters that Unicode does not decompose into a letter and a mark.
_WHOLE_LETTERS = str.maketrans(
    {"œ": "oe", "ø": "o", "æ": "ae", "ß": "ss", "đ": "d", "ð": "d", "þ": "th", "ł": "l"}
)

# Marks without a letter: NFKC turns an accent typed alone into a space and a mark.
_STRAY_MARKS = re.compile(r"(?<!\S)[\u0300-\u036f\u3099\u309a]+")


def none(text: str) -> str:
    """Return the text as it is, with single spaces.

    >>> none(" Sí,  señor. ")
    'Sí, señor.'
    """
    return " ".join(text.split())


def basic(text: str) -> str:
    """Lower-case, drop what stands in brackets, and turn punctuation into spaces.

    Whisper's rule for every language but English, except that a combining mark
    stays with its letter: Whisper turns it into a space, which cuts words of Hindi,
    Tamil or Thai into pieces.

    >>> basic("¿Está [ruido] aquí, l'amico?")
    'está aquí l amico'
    >>> basic("हिन्दी!")
    'हिन्दी'
    """
    text = unicodedata.normalize("NFKC", _drop_brackets(text.lower()))
    return none(_drop_symbols(_STRAY_MARKS.sub("", text)).lower())


def fold(text: str) -> str:
    """Apply :func:`basic` and drop diacritics as well: ``está`` equals ``esta``.

    >>> fold("¿Está aquí el niño?")
    'esta aqui el nino'
    """
    text = _drop_brackets(text.lower()).translate(_WHOLE_LETTERS)
    letters = unicodedata.normalize("NFKD", text)
    letters = "".join(c for c in letters if unicodedata.category(c) != "Mn")
    # Composed again, because decomposition has also cut Korean syllables apart.
    return none(_drop_symbols(unicodedata.normalize("NFC", letters)).lower())


def english(text: str) -> str:
    """Apply Whisper's English rules: numbers, contractions, titles, British spellings.

    >>> english("Mr. Smith won't pay twenty dollars for colours")
    'mister smith will not pay $20 for colors'
    """
    return none(_english()(text))


def simplified(text: str) -> str:
    """Apply :func:`basic` after converting to simplified Chinese characters.

    OpenCC converts from the traditional characters of Hong Kong, which are those of
    Taiwan and a few more. Words are not replaced: 軟體 becomes 软体, not 软件.

    >>> simplified("他們說：「發展」。"), simplified("他们说发展")
    ('他们说 发展', '他们说发展')
    """
    # Taiwan writes 著 for both; OpenCC leaves it (Unihan: kSimplifiedVariant 着).
    return basic(_opencc().convert(text).replace("著", "着"))


@functools.cache
def _english() -> Rule:
    # Imported late: transformers takes seconds to load, and only this rule needs it.
    from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

    # transformers has OpenAI's rules unchanged, but its table of spellings comes with a
    # model. whisper-normalizer has that table, but its rules have been changed since.
    table = files("whisper_normalizer") / "normalizers" / "english.json"
    rule: Rule = EnglishTextNormalizer(json.loads(table.read_text("utf-8")))
    return rule


@functools.cache
def _opencc() -> "OpenCC":
    from opencc import OpenCC

    return OpenCC("hk2s")


# name -> language -> rule; "*" stands for every other language.
NORMALIZERS: Mapping[str, Mapping[str, Rule]] = {
    "none": {"*": none},
    "basic": {"*": basic},
    "fold": {"*": fold, **dict.fromkeys(LETTER_MARKS, basic)},
    "whisper": {"*": basic, "en": english},
    "simplified": {"*": basic, **dict.fromkeys(CHINESE, simplified)},
}


@functools.cache
def rule_for(name: str, language: str) -> Rule:
    """Return the rule of the normaliser ``name`` for a language.

    Every rule but ``none`` first applies the table of ``characters``.

    Raises:
        InputError: no normaliser has this name.
    """
    if name not in NORMALIZERS:
        raise InputError(
            f"normalizer must be one of {', '.join(NORMALIZERS)}; got {name!r}."
        )
    rules = NORMALIZERS[name]
    rule = rules.get(language, rules["*"])
    if rule is none:
        return none
    see = visible(language)

    @functools.wraps(rule)
    def normalize(text: str) -> str:
        return rule(see(text))

    return normalize


def _drop_brackets(text: str) -> str:
    return re.sub(r"\([^)]+\)", "", re.sub(r"[<\[][^>\]]*[>\]]", "", text))


def _drop_symbols(text: str) -> str:
    return "".join(" " if unicodedata.category(c)[0] in "SP" else c for c in text)
