"""Text normalisers by name, with a rule of its own for a language that needs one."""

import functools
import re
import unicodedata
from collections.abc import Callable, Mapping

from espnet_merge.errors import InputError
from espnet_merge.score.languages import DOTLESS_I, LETTER_MARKS

Rule = Callable[[str], str]

# Letters that Unicode does not decompose into a letter and a mark.
_WHOLE_LETTERS = str.maketrans(
    {"œ": "oe", "ø": "o", "æ": "ae", "ß": "ss", "đ": "d", "ð": "d", "þ": "th", "ł": "l"}
)

# Marks without a letter: NFKC makes a space and a mark of an accent typed alone.
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
    """Do as :func:`basic` and drop the diacritics too: ``está`` equals ``esta``.

    >>> fold("¿Está aquí el niño?")
    'esta aqui el nino'
    """
    text = _drop_brackets(text.lower()).translate(_WHOLE_LETTERS)
    letters = unicodedata.normalize("NFKD", text)
    letters = "".join(c for c in letters if unicodedata.category(c) != "Mn")
    # Composed again, because decomposition has also cut Korean syllables apart.
    return none(_drop_symbols(unicodedata.normalize("NFC", letters)).lower())


def turkic(text: str) -> str:
    """Do as :func:`basic`, with the capitals of Turkish and Azerbaijani.

    >>> turkic("IŞIK İyi")
    'ışık iyi'
    """
    return basic(text.replace("İ", "i").replace("I", "ı"))


def english(text: str) -> str:
    """Apply Whisper's English rules: numbers, contractions, titles, fillers.

    Without its table of British spellings, which comes with a model and not with
    the code: ``colour`` and ``color`` stay two words.

    >>> english("Mr. Smith won't pay twenty dollars")
    'mister smith will not pay $20'
    """
    return none(_english()(text))


@functools.cache
def _english() -> Rule:
    # Imported late: transformers takes seconds to load, and only this rule needs it.
    from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

    rule: Rule = EnglishTextNormalizer({})
    return rule


# name -> language -> rule; "*" is every language not named.
NORMALIZERS: Mapping[str, Mapping[str, Rule]] = {
    "none": {"*": none},
    "basic": {"*": basic, **dict.fromkeys(DOTLESS_I, turkic)},
    "fold": {"*": fold, **dict.fromkeys(LETTER_MARKS, basic)},
    "whisper": {"*": basic, "en": english, **dict.fromkeys(DOTLESS_I, turkic)},
}


def rule_for(name: str, language: str) -> Rule:
    """Return the rule of the normaliser ``name`` for a language.

    Raises:
        InputError: no normaliser has this name.
    """
    if name not in NORMALIZERS:
        raise InputError(
            f"normalizer must be one of {', '.join(NORMALIZERS)}; got {name!r}."
        )
    rules = NORMALIZERS[name]
    return rules.get(language, rules["*"])


def _drop_brackets(text: str) -> str:
    return re.sub(r"\([^)]+\)", "", re.sub(r"[<\[][^>\]]*[>\]]", "", text))


def _drop_symbols(text: str) -> str:
    return "".join(" " if unicodedata.category(c)[0] in "SP" else c for c in text)
