"""Pairs of texts that are the same words, and pairs that are not, with sources."""

import re
import unicodedata

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st
from transformers.models.whisper.tokenization_whisper import LANGUAGES

from espnet_merge.score.characters import INVISIBLE, TABLE, visible
from espnet_merge.score.evaluate import evaluate
from espnet_merge.score.normalize import NORMALIZERS, rule_for
from espnet_merge.score.utterances import ScoredUtterance


def nfd(text):
    return unicodedata.normalize("NFD", text)


# Language, normaliser, two texts of the same words, who says so.
SAME = [
    # Nothing is shown.
    ("km", "basic", "ខ្ញុំ\u200bចង់\u200bទៅ", "ខ្ញុំចង់ទៅ", "UAX #14"),
    ("th", "basic", "สวัสดี\u200bครับ", "สวัสดีครับ", "UAX #14"),
    ("lo", "basic", "ສະບາຍ\u200bດີ", "ສະບາຍດີ", "UAX #14"),
    ("my", "basic", "မြန်မာ\u200bစာ", "မြန်မာစာ", "UAX #14"),
    ("tl", "basic", "\ufeffkumusta", "kumusta", "Unicode 23.8, byte-order mark"),
    ("pt", "basic", "guarda\u2060chuva", "guardachuva", "UAX #14, word joiner"),
    ("de", "basic", "Kinder\u00adgarten", "Kindergarten", "UAX #14, soft hyphen"),
    ("es", "fold", "cora\u00adzón", "corazon", "UAX #14, soft hyphen"),
    ("en", "whisper", "co\u00adlour", "color", "UAX #14, soft hyphen"),
    ("ar", "basic", "\u200fمرحبا", "مرحبا", "UAX #9"),
    ("ar", "fold", "\u061cنعم", "نعم", "UAX #9"),
    ("he", "basic", "\u202bשלום\u202c", "שלום", "UAX #9"),
    ("en", "basic", "i love you ❤\ufe0f", "i love you", "UTS #51"),
    ("es", "fold", "hola 👨\u200d👩\u200d👧", "hola", "UTS #51"),
    ("en", "basic", "step 1\ufe0f\u20e3", "step 1", "UTS #51, keycap"),
    ("en", "basic", "🏴\U000e0067\U000e0062\U000e007f go", "go", "UTS #51, tags"),
    ("ja", "basic", "葛\U000e0100飾", "葛飾", "UTS #37"),
    ("fr", "basic", "cafe\u034f\u0301", "café", "Unicode 23.2, grapheme joiner"),
    ("ko", "basic", "\u3164안녕", "안녕", "Unicode 18.6, Hangul filler"),
    ("mn", "basic", "ᠬᠠᠷ\u180eᠠ", "ᠬᠠᠷᠠ", "Unicode 13.5"),
    # Joiners.
    ("de", "basic", "Auf\u200clage", "Auflage", "Unicode 23.2, no ligature"),
    ("fa", "basic", "می\u200cخواهم", "می خواهم", "Dastur-e Khatt"),
    ("ur", "basic", "خوب\u200cصورت", "خوب صورت", "Durrani and Hussain 2010"),
    ("ps", "basic", "لاس\u200cلیک", "لاس لیک", "Everson and Pournader 2003"),
    ("hi", "basic", "क्\u200dष", "क्ष", "Unicode 12.1, half consonant"),
    ("hi", "whisper", "राज्\u200cकुमार", "राज्कुमार", "Unicode 12.1, explicit virama"),
    ("gu", "fold", "પક્\u200dષ", "પક્ષ", "Unicode 12.4"),
    ("te", "basic", "సాఫ్ట్\u200cవేర్", "సాఫ్ట్వేర్", "Unicode 12.7"),
    ("kn", "basic", "ಸೂರ\u200d್ಯ", "ಸೂರ್ಯ", "Unicode 12.8"),
    ("si", "basic", "ශ්\u200dරී", "ශ්රී", "Unicode 13.2; SLS 1134"),
    ("ml", "basic", "അവന്\u200d", "അവൻ", "Unicode 12.9, chillu"),
    ("ml", "basic", "എന്റെ", "എൻ്റെ", "Unicode 12.9; Nisaba"),
    ("mr", "basic", "दर्\u200dया", "दऱ्या", "Unicode 12.1, R5a"),
    ("ne", "basic", "गर्\u200dयो", "गऱ्यो", "Unicode 12.1, R5a"),
    ("bn", "basic", "হঠাত্\u200d", "হঠাৎ", "Unicode 12.2, khanda ta"),
    ("as", "basic", "উত্\u200dসৱ", "উৎসৱ", "Unicode 12.2, khanda ta"),
    ("bn", "basic", "উদ্\u200cযাপন", "উদ্যাপন", "Unicode 12.2"),
    ("bn", "basic", "র\u200c্যাব", "র\u200d্যাব", "Unicode 12.2; Nisaba"),
    # Letters typed in two ways.
    ("uk", "basic", "п\u02bcять", "п'ять", "CLDR, uk"),
    ("be", "basic", "аб\u02bcект", "аб’ект", "CLDR, be"),
    ("uz", "basic", "o\u02bbzbek", "o'zbek", "CLDR, uz"),
    ("uz", "basic", "ma\u02bcno", "ma'no", "CLDR, uz"),
    ("haw", "basic", "Hawai\u02bbi", "Hawai'i", "CLDR, haw"),
    ("br", "basic", "c\u02bchoar", "c'hoar", "CLDR, br"),
    ("ha", "basic", "\u02bcya\u02bcya", "'ya'ya", "CLDR, ha"),
    ("en", "whisper", "don\u02bct", "don't", "Unicode 6.2, apostrophe"),
    ("af", "basic", "ŉ hond", "'n hond", "PropList.txt, deprecated"),
    ("tr", "basic", nfd("İstanbul"), "İstanbul", "UAX #15"),
    ("tr", "fold", "IŞIK", "ışık", "SpecialCasing.txt, tr"),
    ("az", "whisper", "QIRIQ i\u0307n", "qırıq in", "SpecialCasing.txt, az"),
    ("en", "basic", "İstanbul", "Istanbul", "SpecialCasing.txt, U+0130"),
    ("lt", "basic", "li\u0307\u0300ko", "lìko", "SpecialCasing.txt, lt"),
    ("ar", "fold", "كتـــاب", "كتاب", "Unicode 9.2, tatweel"),
    ("ja", "basic", "（笑）そう", "(笑)そう", "UAX #11"),
    ("zh", "basic", "［音乐］你好", "你好", "UAX #11"),
    ("yue", "simplified", "﹙笑﹚你好", "你好", "UAX #15, small forms"),
    ("ro", "basic", "ştiinţă", "știință", "Unicode 7.1; SR 13411"),
    ("yo", "basic", "e\u0329\u0301ko\u0329", "ẹ\u0301kọ", "CLDR, yo; U+0329"),
    ("fa", "basic", "كتابي", "کتابی", "ISIRI 6219"),
    ("fa", "basic", "خانۀ ما", "خانهٔ ما", "ISIRI 6219"),
    ("ur", "basic", "آیٔينه", "آئینه", "UZT 1.01; Nisaba"),
    ("yi", "basic", "ייִדיש ײד", "ייִדיש ייד", "YIVO 1999"),
    ("hy", "basic", "Ինչպե՞ս ես", "ինչպես ես", "Unicode 7.6"),
    ("th", "basic", "เเม่นํ้า", "แม่น้ำ", "Unicode 16.1; PyThaiNLP"),
    ("lo", "basic", "ເເມ່ນໍ້າ", "ແມ່ນ້ຳ", "Unicode 16.2"),
    ("km", "basic", "ស្ដេច", "ស្តេច", "Unicode 16.4; Khmer LGR"),
    ("km", "basic", "កេាះ", "កោះ", "Unicode 16.4; Khmer LGR"),
    ("my", "basic", "ဝိညာဥ်", "ဝိညာဉ်", "UTN #11"),
    ("ta", "basic", "ஸ்ரீ", "ஶ்ரீ", "Unicode 12.6; Nisaba"),
    ("ja", "basic", "か\u309bっこう", "がっこう", "JIS X 0208"),
    ("zh", "basic", "二○○四年", "二〇〇四年", "GB/T 15835-2011"),
    # What composition already makes equal, and must go on to.
    ("vi", "basic", nfd("Tiếng Việt"), "tiếng việt", "UAX #15"),
    ("mi", "basic", nfd("Māori"), "māori", "UAX #15"),
    ("ko", "fold", nfd("한국어"), "한국어", "UAX #15"),
    ("ta", "basic", nfd("கொடு"), "கொடு", "UAX #15"),
    ("hi", "basic", "\u0958लम", "क\u093cलम", "UAX #15, exclusions"),
    ("pa", "basic", "\u0a36ਹਿਰ", "ਸ\u0a3cਹਿਰ", "UAX #15, exclusions"),
    ("el", "basic", "Ελλ\u1f71δα", "ελλάδα", "UAX #15, oxia"),
    ("ar", "basic", "ﻣﺮﺣﺒﺎ", "مرحبا", "UAX #15, presentation forms"),
    ("ja", "basic", "ﾃﾞｰﾀ", "データ", "UAX #15, half width"),
    ("hy", "basic", "և", "եւ", "UAX #15, ligature"),
    ("hr", "basic", "ǆep", "džep", "UAX #15, digraph"),
    ("ca", "basic", "coŀlegi", "col·legi", "UAX #15"),
    ("nl", "basic", "ĳs", "ijs", "UAX #15"),
    ("ka", "basic", "ᲗᲑᲘᲚᲘᲡᲘ", "თბილისი", "Unicode 7.7, Mtavruli"),
    ("bo", "basic", "བོད\u0f0cཡིག", "བོད་ཡིག", "Unicode 13.4, tsheg"),
]

# Language, normaliser, two texts of different words, what they are.
DIFFERENT = [
    ("tr", "basic", "kır", "kir", "countryside, dirt"),
    ("tr", "fold", "kır", "kir", "countryside, dirt"),
    ("az", "whisper", "QIZ", "qiz", "girl, no word"),
    ("ml", "basic", "അവൻ", "അവന്", "he, to him"),
    ("ml", "basic", "അവന്\u200d", "അവന്", "he, to him"),
    ("mr", "basic", "दर्\u200dया", "दर्या", "valleys, sea"),
    ("mr", "whisper", "आचार्\u200dयास", "आचार्यास", "to the cook, to the teacher"),
    ("hi", "basic", "कर्म", "करम", "deed, grace"),
    ("hi", "basic", "पता", "पत्ता", "address, leaf"),
    ("bn", "basic", "র\u200d্যাম", "র্যাম", "ya-phalaa, reph"),
    ("bn", "basic", "সত", "সৎ", "no word, honest"),
    ("fa", "basic", "می\u200cخواهم", "میخواهم", "spelled apart, joined"),
    ("ps", "basic", "سړی", "سړي", "man, men"),
    ("ar", "basic", "علی", "على", "letter of Persian, on"),
    ("ar", "fold", "علي", "على", "Ali, on"),
    ("ur", "basic", "کہا", "کھا", "said, ate"),
    ("sd", "basic", "ک", "ڪ", "kha, ka"),
    ("uk", "basic", "п'ять", "пять", "five, misspelled"),
    ("uk", "basic", "ґрати", "грати", "bars, to play"),
    ("uz", "basic", "o\u02bbt", "ot", "grass, horse"),
    ("haw", "basic", "ko\u02bbu", "kou", "my, your"),
    ("haw", "basic", "pau", "paʻu", "finished, soot"),
    ("ro", "basic", "pește", "peste", "fish, over"),
    ("ro", "basic", "sta", "șta", "to stay, no word"),
    ("de", "basic", "Maße", "Masse", "measures, mass"),
    ("es", "basic", "año", "ano", "year, anus"),
    ("ru", "basic", "всё", "все", "everything, everybody"),
    ("el", "basic", "πότε", "ποτέ", "when, never"),
    ("vi", "basic", "ma", "má", "ghost, mother"),
    ("yo", "basic", "ọkọ", "oko", "husband, farm"),
    ("th", "basic", "แก", "เก", "you, crooked"),
    ("th", "basic", "นำ", "น้ำ", "lead, water"),
    ("lo", "basic", "ນາ", "ນໍາ", "field, lead"),
    ("km", "basic", "ដី", "តី", "da and ta that stand alone"),
    ("my", "basic", "ဥ", "ဉ", "u and nya without asat"),
    ("ta", "basic", "ஸாந்தி", "ஶாந்தி", "sa and sha outside shri"),
    ("ja", "basic", "かき", "かぎ", "persimmon, key"),
    ("zh", "basic", "说", "說", "simplified, traditional: asked for by name"),
    ("zh", "simplified", "他", "她", "he, she"),
    ("zh", "basic", "○○公司", "〇〇公司", "a name left out, no number"),
    ("ko", "basic", "개", "게", "dog, crab"),
    ("he", "basic", "אם", "עם", "mother, with"),
    ("hy", "basic", "ես", "եւս", "I, too"),
    ("en", "basic", "well", "we'll", "an apostrophe is not dropped"),
]


@pytest.mark.parametrize(("language", "name", "one", "other", "source"), SAME)
def test_the_same_words_are_equal(language, name, one, other, source):
    assert one != other
    rule = rule_for(name, language)
    assert rule(one) == rule(other) != ""


@pytest.mark.parametrize(("language", "name", "one", "other", "what"), DIFFERENT)
def test_different_words_stay_different(language, name, one, other, what):
    rule = rule_for(name, language)
    assert rule(one) != rule(other)


def test_pairs_are_of_languages_that_whisper_has():
    assert {row[0] for row in (*SAME, *DIFFERENT)} <= LANGUAGES.keys()
    for row in TABLE:
        assert row.languages <= LANGUAGES.keys(), row.what


def test_every_row_of_the_table_is_shown_by_a_pair():
    texts = [(language, unicodedata.normalize("NFC", one), other)
             for language, _, one, other, _ in SAME]  # fmt: skip
    for row in TABLE:
        fits = re.compile("|".join(row.changes)).search
        assert row.why.endswith((".", ")."))
        assert re.compile("|".join(row.changes)).groups == 0
        if row.what in ("Khmer inherent vowels", "other format controls"):
            continue  # in no text that anybody types
        assert any(
            fits(one) or fits(other)
            for language, one, other in texts
            if not row.languages or language in row.languages
        ), row.what


def test_invisible_is_what_unicode_says_that_displays_may_ignore():
    ours = re.compile("|".join(p for row in INVISIBLE for p in row.changes))
    characters = list(map(chr, range(0x110000)))
    theirs = regex.compile(r"\p{Default_Ignorable_Code_Point}")
    assert {c for c in characters if ours.match(c)} == {
        c for c in characters if theirs.match(c)
    }


@pytest.mark.parametrize("name", [name for name in NORMALIZERS if name != "none"])
@given(text=st.text(), language=st.sampled_from(sorted(LANGUAGES)))
def test_nothing_invisible_is_left_but_a_joiner_that_makes_a_letter(
    name, text, language
):
    clean = rule_for(name, language)(text).replace("র\u200d্য", "")
    assert not regex.search(r"\p{Default_Ignorable_Code_Point}", clean)


@given(text=st.text(st.characters(max_codepoint=0x17F)))
def test_plain_latin_text_is_left_alone(text):
    plain = text.translate(dict.fromkeys(map(ord, "\u00adİŉ")))
    assert visible("en")(plain) == plain


def test_raw_text_stays_raw():
    pair = ("a", "s", "km", "ខ្ញុំ\u200bចង់", "ខ្ញុំចង់")
    cer = evaluate([ScoredUtterance(*pair)], "basic", ["cer"])["metrics"]["cer"]
    # One of nine characters.
    assert cer["raw"]["rate"] == pytest.approx(100 / 9)
    assert cer["normalized"]["rate"] == 0
    assert rule_for("none", "km")(pair[3]) == pair[3]
