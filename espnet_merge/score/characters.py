"""The table of invisible characters, and of letters that can be typed in two ways.

Each row says what is changed before a text is normalised, in which languages, and why.
Patterns are regular expressions on composed text (NFC). At each position the first
matching row applies, so rows that join letters stand before rows that drop characters.

The Unicode Standard is cited by chapter ("Unicode 9.2"), its annexes by number (UAX,
UTS). Nisaba stands for Johny et al., "Finite-state script normalization and processing
utilities: The Nisaba Brahmic library", EACL 2021.
"""

import functools
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import NamedTuple

from espnet_merge.score.languages import DOTLESS_I

EVERY: frozenset[str] = frozenset()


class Row(NamedTuple):
    """Characters that are changed for the same reason.

    Attributes:
        what: description of the characters.
        changes: pattern -> replacement; patterns contain no groups.
        why: why the word stays the same, and the source that says so.
        languages: Whisper's codes of the languages concerned; ``EVERY`` for all.
    """

    what: str
    changes: Mapping[str, str]
    why: str
    languages: frozenset[str] = EVERY


def _only(*languages: str) -> frozenset[str]:
    return frozenset(languages)


_THAI_TONES = "่้๊๋"
_LAO_TONES = "່້໊໋"
_DIGIT = "[〇一二三四五六七八九]"

JOINED: tuple[Row, ...] = (
    Row(
        "chillu typed as consonant, virama and joiner",
        {
            "ണ്\u200d": "ൺ",
            "ന്\u200d": "ൻ",
            "ര്\u200d": "ർ",
            "ല്\u200d": "ൽ",
            "ള്\u200d": "ൾ",
            "ക്\u200d": "ൿ",
            "ന്റ": "ൻ്റ",
        },
        "Two encodings of one letter, before and since Unicode 5.1 (Unicode 12.9). "
        "It is not the consonant with virama: അവൻ is he, അവന് to him.",
        _only("ml"),
    ),
    Row(
        "khanda ta typed as ta, virama and joiner",
        {"ত্\u200d": "ৎ"},
        "Two encodings of one letter, before and since Unicode 4.1 (Unicode 12.2).",
        _only("as", "bn"),
    ),
    Row(
        "ya-phalaa after ra",
        {"র[\u200c\u200d]্য": "র\u200d্য"},
        "Here the joiner stays: without it the letters are rya with reph, another "
        "sound and another form. The non-joiner is an older spelling (Unicode 12.2; "
        "Nisaba).",
        _only("as", "bn"),
    ),
    Row(
        "eyelash ra typed as ra, virama and joiner",
        {"र्\u200d": "ऱ्"},
        "Two encodings of one form (Unicode 12.1, rule R5a). It is not ra with "
        "reph: दऱ्या are valleys, दर्या is the sea (Muller, Devanagari Eyelash Ra, "
        "2004).",
        _only("mr", "ne"),
    ),
    Row(
        "shri typed with sa",
        {"ஸ்ரீ": "ஶ்ரீ"},
        "One ligature; sha has been encoded since Unicode 4.1 only (Unicode 12.6; "
        "Nisaba).",
        _only("ta"),
    ),
    Row(
        "zero-width non-joiner inside a word",
        {"\u200c": " "},
        "It parts a prefix, suffix or member of a compound, and where the keyboard "
        "lacks it, people type a space: می‌خواهم. Joined letters would be another "
        "spelling (Academy of Persian Language, Dastur-e Khatt, 2005; for Urdu "
        "Durrani and Hussain, Urdu Word Segmentation, 2010; for Pashto Everson and "
        "Pournader, Computer Locale Requirements for Afghanistan, 2003).",
        _only("fa", "ps", "ur"),
    ),
)

# Together these are Unicode's Default_Ignorable_Code_Point (UAX #44).
INVISIBLE: tuple[Row, ...] = (
    Row(
        "soft hyphen",
        {"\u00ad": ""},
        "Where a line may be broken; nothing is shown elsewhere (Unicode 6.2, UAX "
        "#14).",
    ),
    Row(
        "zero-width space, word joiner, byte-order mark",
        {"[\u200b\u2060\ufeff]": ""},
        "They allow or forbid a line break: Khmer, Thai, Lao, Burmese have no "
        "spaces between words, and some writers mark them so (Unicode 23.2, UAX "
        "#14).",
    ),
    Row(
        "direction marks, embeddings, isolates",
        {"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]": ""},
        "They order letters on the line; the text read is the same (UAX #9).",
    ),
    Row(
        "zero-width joiner and non-joiner",
        {"[\u200c\u200d]": ""},
        "They ask for a form of the same letters: a half consonant of Hindi, a "
        "conjunct of Sinhala, an ending of Kannada, no ligature in German, one "
        "emoji of several (Unicode 23.2; UTS #51).",
    ),
    Row(
        "variation selectors",
        {"[\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]": ""},
        "They choose a glyph: emoji or text, a form of a kanji (Unicode 23.4, UTS "
        "#37).",
    ),
    Row(
        "combining grapheme joiner",
        {"\u034f": ""},
        "It keeps marks in their order, or letters apart in sorting (Unicode 23.2).",
    ),
    Row(
        "Hangul fillers",
        {"[\u115f\u1160\u3164\uffa0]": ""},
        "They stand for a letter that is not there (Unicode 18.6).",
    ),
    Row(
        "Khmer inherent vowels",
        {"[\u17b4\u17b5]": ""},
        "Never shown, and discouraged (Unicode 16.4).",
    ),
    Row(
        "Mongolian vowel separator",
        {"\u180e": ""},
        "It shapes the letters beside it (Unicode 13.5).",
    ),
    Row(
        "tags, and what is reserved beside variation selectors",
        {"[\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]": ""},
        "They name the flag of a region after an emoji (UTS #51).",
    ),
    Row(
        "other format controls",
        {"[\u2061-\u2065\u206a-\u206f\ufff0-\ufff8\U0001bca0-\U0001bca3"
         "\U0001d173-\U0001d17a]": ""},
        "Of formulas, shorthand and music, deprecated, or reserved (UAX #44).",
    ),
)  # fmt: skip

LETTERS: tuple[Row, ...] = (
    Row(
        "enclosing marks",
        {"[\u20dd-\u20e0\u20e2-\u20e4]": ""},
        "They frame a symbol, as the keycap frames a digit (UTS #51).",
    ),
    Row(
        "dot on a letter that has one",
        {"İ": "i", "(?<=[ijį])\u0307": ""},
        "The lower case of İ is i with a dot more outside Turkish; Lithuanian "
        "dictionaries type that dot under an accent. Both look as i does "
        "(SpecialCasing.txt, Unicode 7.1: soft-dotted letters).",
    ),
    Row(
        "capital of dotless ı",
        {"I": "ı"},
        "I is the capital of ı, and İ that of i (SpecialCasing.txt, tr and az).",
        DOTLESS_I,
    ),
    Row(
        "apostrophe or okina that is a letter",
        {"[\u02bb-\u02bf\uff07]": "'", "ŉ": "'n"},
        "Ukrainian пʼять, Uzbek oʻzbek, Hawaiian Hawaiʻi, Hausa ʼyaʼya, Breton "
        "cʼhoar: keyboards have U+0027 (CLDR, exemplar characters; Unicode 6.2; ŉ "
        "is deprecated).",
    ),
    Row(
        "tatweel",
        {"ـ": ""},
        "It stretches a line and is no letter (Unicode 9.2).",
    ),
    Row(
        "brackets in other widths",
        {"[（﹙︵]": "(", "[）﹚︶]": ")", "[［﹇]": "[", "[］﹈]": "]"}
        | {"＜": "<", "＞": ">"},
        "Compatibility forms of ASCII's (UAX #11, UAX #15): what stands in them is "
        "a remark, too.",
    ),
    Row(
        "Romanian s and t with cedilla",
        {"ş": "ș", "ţ": "ț", "Ş": "Ș", "Ţ": "Ț"},
        "Before Unicode 3.0 there was no comma below to type (Unicode 7.1; SR 13411).",
        _only("ro"),
    ),
    Row(
        "mark below a letter of Yoruba",
        {"\u0329": "\u0323"},
        "A line or a dot, one letter (Unicode names list, U+0329; CLDR, yo).",
        _only("yo"),
    ),
    Row(
        "yeh and kaf of an Arabic keyboard",
        {"[یى]ٔ": "ئ", "[يى]": "ی", "ك": "ک"},
        "One letter in Persian and Urdu, shown alike inside a word (ISIRI 6219; UZT "
        "1.01; Unicode 9.2). In Pashto and Arabic they are two.",
        _only("fa", "ur"),
    ),
    Row(
        "heh with hamza",
        {"ۀ": "هٔ"},
        "Two encodings of one Persian ending (ISIRI 6219).",
        _only("fa"),
    ),
    Row(
        "Yiddish digraphs",
        {"װ": "וו", "ױ": "וי", "ײ": "יי"},
        "Typed as one character or as two letters (Unicode 9.1; YIVO 1999).",
        _only("yi"),
    ),
    Row(
        "Armenian signs inside a word",
        {"[՛՜՞]": ""},
        "Emphasis, exclamation and question stand on the last vowel of a word and "
        "part nothing (Unicode 7.6).",
        _only("hy"),
    ),
    Row(
        "Thai vowels typed in two strokes",
        {"เเ": "แ"}
        | {f"(?:ํ{tone}า|ำ{tone})": f"{tone}ำ" for tone in _THAI_TONES},
        "Two E look as AE does, and AM has its tone before, after or in the middle "
        "(Unicode 16.1; PyThaiNLP normalises them so).",
        _only("th"),
    ),
    Row(
        "Lao vowels typed in two strokes",
        {"ເເ": "ແ"}
        | {f"(?:ໍ{tone}າ|ຳ{tone})": f"{tone}ຳ" for tone in _LAO_TONES},
        "As in Thai (Unicode 16.2).",
        _only("lo"),
    ),
    Row(
        "Khmer letters of one form",
        {"្ដ": "្ត", "េា": "ោ", "េី": "ើ"},
        "Below another letter da and ta are one sign, and a vowel of two parts is "
        "one character (Unicode 16.4; Khmer Root Zone Label Generation Rules, "
        "2016).",
        _only("km"),
    ),
    Row(
        "Burmese nya typed as u",
        {"ဥ်": "ဉ်"},
        "Alike in form; only the consonant can be killed by asat (Unicode Technical "
        "Note #11).",
        _only("my"),
    ),
    Row(
        "voicing of kana typed apart",
        {"\u309b": "\u3099", "\u309c": "\u309a"},
        "か゛ is が (JIS X 0208; Unicode 18.4).",
        _only("ja"),
    ),
    Row(
        "circle for zero",
        {f"(?<={_DIGIT})○|(?<={_DIGIT}○)○|○(?={_DIGIT})": "〇"},
        "Beside a digit it is one (GB/T 15835-2011); elsewhere it is a blank.",
        _only("ja", "yue", "zh"),
    ),
)  # fmt: skip

TABLE = (*JOINED, *INVISIBLE, *LETTERS)


@functools.cache
def visible(language: str) -> Callable[[str], str]:
    """Return the function that applies the table to a text of a language.

    Texts that look and sound the same become equal.

    >>> visible("tr")("IŞIK"), visible("uk")("пʼять"), visible("ar")("كتـــاب")
    ('ıŞıK', "п'ять", 'كتاب')
    """
    rows = [row for row in TABLE if not row.languages or language in row.languages]
    changes = [change for row in rows for change in row.changes.items()]
    pattern = re.compile("|".join(f"({pattern})" for pattern, _ in changes))
    becomes = [after for _, after in changes]

    def change(match: re.Match[str]) -> str:
        # Each pattern is one group, so the group number is the row number.
        return becomes[(match.lastindex or 0) - 1]

    return lambda text: pattern.sub(change, unicodedata.normalize("NFC", text))
