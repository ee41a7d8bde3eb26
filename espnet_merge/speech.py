"""What Whisper hears and says, known without the seconds that transformers takes."""

from typing import Literal, get_args

from espnet_merge.errors import InputError

SAMPLE_RATE = 16_000  # samples a second, of one channel
WINDOW = 30.0  # seconds; the encoder has positions for no more

# A transcript is in the language that is spoken, a translation in English.
Task = Literal["transcribe", "translate"]
TASKS: tuple[Task, ...] = get_args(Task)
TRANSCRIBE, TRANSLATE = TASKS

AUTO = "auto"  # in place of a language: the one that the model hears

# In the order of their tokens.
_LANGUAGES = """
en english, zh chinese, de german, es spanish, ru russian, ko korean, fr french,
ja japanese, pt portuguese, tr turkish, pl polish, ca catalan, nl dutch, ar arabic,
sv swedish, it italian, id indonesian, hi hindi, fi finnish, vi vietnamese, he hebrew,
uk ukrainian, el greek, ms malay, cs czech, ro romanian, da danish, hu hungarian,
ta tamil, no norwegian, th thai, ur urdu, hr croatian, bg bulgarian, lt lithuanian,
la latin, mi maori, ml malayalam, cy welsh, sk slovak, te telugu, fa persian,
lv latvian, bn bengali, sr serbian, az azerbaijani, sl slovenian, kn kannada,
et estonian, mk macedonian, br breton, eu basque, is icelandic, hy armenian, ne nepali,
mn mongolian, bs bosnian, kk kazakh, sq albanian, sw swahili, gl galician, mr marathi,
pa punjabi, si sinhala, km khmer, sn shona, yo yoruba, so somali, af afrikaans,
oc occitan, ka georgian, be belarusian, tg tajik, sd sindhi, gu gujarati, am amharic,
yi yiddish, lo lao, uz uzbek, fo faroese, ht haitian creole, ps pashto, tk turkmen,
nn nynorsk, mt maltese, sa sanskrit, lb luxembourgish, my myanmar, bo tibetan,
tl tagalog, mg malagasy, as assamese, tt tatar, haw hawaiian, ln lingala, ha hausa,
ba bashkir, jw javanese, su sundanese, yue cantonese
"""
_OTHER_NAMES = """
my burmese, ca valencian, nl flemish, ht haitian, lb letzeburgesch, ps pushto,
pa panjabi, ro moldavian, ro moldovan, si sinhalese, es castilian, zh mandarin
"""


def _pairs(text: str) -> list[tuple[str, str]]:
    words = (pair.split(maxsplit=1) for pair in text.split(","))
    return [(code, name.strip()) for code, name in words]


LANGUAGES = dict(_pairs(_LANGUAGES))
"""Code -> English name, of all languages that Whisper knows."""

CODES = {name: code for code, name in _pairs(_LANGUAGES) + _pairs(_OTHER_NAMES)}
"""English name -> code."""

# Where Whisper's code is not that of BCP 47.
_OWN = {"fil": "tl", "jv": "jw", "nb": "no"}


def code_of(language: str) -> str | None:
    """Return Whisper's code of a language; None where Whisper does not know it.

    Args:
        language: a code of ISO 639 of two letters or three, be it an old one, with or
            without a country or a script; or an English name.

    Example:
        >>> [code_of(name) for name in ("es", "spa", "zh-CN", "iw", "cmn", "nb_NO")]
        ['es', 'es', 'zh', 'he', 'zh', 'no']
        >>> [code_of(name) for name in ("Spanish", "tlh", "")]
        ['es', None, None]
    """
    if language in LANGUAGES:
        return language
    # A tenth of a second, for what is no code of Whisper's.
    import langcodes
    from langcodes.tag_parser import LanguageTagError

    # Cantonese is part of the macrolanguage Chinese, but has a code of its own here.
    for macro in (False, True):
        try:
            tag = langcodes.standardize_tag(language, macro=macro)
        except LanguageTagError:
            return CODES.get(language.lower())
        code = tag.partition("-")[0]
        code = _OWN.get(code, code)
        if code in LANGUAGES:
            return code
    return CODES.get(language.lower())


def check_seconds(name: str, value: float) -> None:
    """Raise ``InputError`` unless ``value`` is a time within Whisper's window."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{name} must be a number of seconds; got {value!r}.")
    if not 0 <= value <= WINDOW:
        raise InputError(
            f"{name} must be 0 to {WINDOW:g} seconds (Whisper's window); got {value:g}."
        )
