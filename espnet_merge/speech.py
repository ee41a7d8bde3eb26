"""What Whisper hears and says, known without the seconds that transformers takes."""

import langcodes
from langcodes.tag_parser import LanguageTagError

WINDOW = 30.0  # seconds; the encoder has positions for no more

TASKS = ("transcribe", "translate")
AUTO = "auto"  # in place of a language: the one that the model hears

_CODES = """
en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da
hu ta no th ur hr bg lt la mi ml cy sk te fa lv bn sr az sl kn et mk br eu is hy
ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am yi lo uz fo ht
ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su yue
"""

LANGUAGES = frozenset(_CODES.split())

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
    # Cantonese is part of the macrolanguage Chinese, but has a code of its own here.
    for macro in (False, True):
        try:
            tag = langcodes.standardize_tag(language, macro=macro)
        except LanguageTagError:
            return _by_name(language)
        code = tag.partition("-")[0]
        code = _OWN.get(code, code)
        if code in LANGUAGES:
            return code
    return _by_name(language)


def _by_name(language: str) -> str | None:
    # Seconds, for what is no code alone.
    from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

    code: str | None = TO_LANGUAGE_CODE.get(language.lower())
    return code
