import hashlib
import json
import unicodedata
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.models.whisper.english_normalizer import BasicTextNormalizer

from espnet_merge.errors import InputError
from espnet_merge.score.evaluate import evaluate
from espnet_merge.score.languages import LETTER_MARKS
from espnet_merge.score.normalize import NORMALIZERS, basic, fold, rule_for
from espnet_merge.score.utterances import ScoredUtterance

LATIN_AND_CYRILLIC = st.text(
    st.characters(max_codepoint=0x17F) | st.sampled_from("ёйЁабвШ ¿[](<>).,!—«»’\u00a0")
)


def whisper_basic(**options):
    rule = BasicTextNormalizer(**options)
    return lambda text: " ".join(rule(text).split())


# İ is the one letter of this range whose lower case holds a loose mark.
@settings(deadline=None)
@given(LATIN_AND_CYRILLIC.filter(lambda text: "İ" not in text))
def test_basic_is_whispers_rule_where_no_mark_stands_alone(text):
    assert basic(text) == whisper_basic()(text)


@settings(deadline=None)
@given(LATIN_AND_CYRILLIC)
def test_fold_is_whispers_rule_without_diacritics(text):
    assert fold(text) == whisper_basic(remove_diacritics=True)(text)


@pytest.mark.parametrize("name", NORMALIZERS)
@settings(deadline=None)
@given(text=st.text())
def test_rules_leave_single_spaces(name, text):
    clean = rule_for(name, "es")(text)
    assert clean == " ".join(clean.split())


@pytest.mark.parametrize(
    ("language", "word"),
    [
        ("hi", "हिन्दी"),
        ("ta", "தமிழ்"),
        ("th", "ที่นี่"),
        ("bn", "বাংলা"),
        ("my", "မြန်မာ"),
        ("ja", "がっこう"),
        ("ar", "مُحَمَّد"),
    ],
)
def test_no_rule_of_basic_cuts_a_word_at_its_marks(language, word):
    assert rule_for("basic", language)(word) == unicodedata.normalize("NFKC", word)
    assert whisper_basic()(word) != word or language == "ja"


@pytest.mark.parametrize("language", sorted(LETTER_MARKS))
def test_folding_spares_marks_that_are_letters(language):
    assert rule_for("fold", language).__name__ == "basic"


def test_folding_keeps_korean_syllables_whole():
    assert rule_for("fold", "ko")("한국어") == "한국어"


def test_folding_makes_spanish_without_accents_equal():
    rule = rule_for("fold", "es")
    assert rule("¿Cuál está?") == rule("cual esta") == "cual esta"


def test_turkish_capitals():
    assert rule_for("basic", "tr")("IĞDIR İzmir") == "ığdır izmir"


def test_whisper_is_english_only_for_english():
    assert rule_for("whisper", "en").__name__ == "english"
    assert rule_for("whisper", "es").__name__ == "basic"
    assert rule_for("whisper", "en")("It's twenty-one") == "it is 21"


# What OpenAI's own normaliser (openai-whisper 20250625) makes of each.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "The colour of the theatre's programme was grey.",
            "the color of the theater is program was gray",
        ),
        (
            "She analysed and organised the catalogue; he apologised.",
            "she analyzed and organized the catalog he apologized",
        ),
        (
            "We practise defence manoeuvres near the harbour.",
            "we practice defense maneuvers near the harbor",
        ),
        (
            "tyres, kerb, storey, cheque, gaol, plough",
            "tires kerb story check jail plow",
        ),
        (
            "He paid twenty-five pounds and fifty pence, or $2 and 7 cents.",
            "he paid £25 and 50 pence or $2.07",
        ),
        (
            "It's one hundred and one: the twenty first of May, nineteen eighty four",
            "it is 101 the 21st of may 1984",
        ),
        (
            "Two and a half million people, three point one four percent.",
            "2500000 people 3.14%",
        ),
        (
            "He was born in the 1960s, on the 3rd; it cost £1,000.50.",
            "he was born in the 1960s on the 3rd it cost £1000.50",
        ),
        ("double oh seven", "007"),
        ("minus five degrees; plus ten", "-5 degrees +10"),
        (
            "Mr. Smith won't go; Dr. Jones can't, y'all gonna.",
            "mister smith will not go doctor jones can not you all going to",
        ),
        ("[laughs] Um, uh, (coughs) I'd've done it.", "i would have done it"),
        ("The naïve café owner's résumé", "the naive cafe owner is resume"),
        # What the package with the table has added to the rules is not ours.
        ("ain't kinda sorta 'cause", "aint kinda sorta cause"),
        ("I’m sure it’s fine – isn’t it?", "i m sure it s fine isn t it"),
    ],
)
def test_whisper_in_english_is_openais(text, expected):
    assert rule_for("whisper", "en")(text) == expected


def test_spelling_is_the_table_that_openai_ships():
    rule = rule_for("whisper", "en")
    table = files("whisper_normalizer") / "normalizers" / "english.json"
    spellings = json.loads(table.read_text("utf-8"))
    assert len(spellings) == 1739
    # Of the file in openai-whisper 20250625.
    assert hashlib.sha256(table.read_bytes()).hexdigest() == (
        "6607f948be9824d2e1b2fa2223cd94c06c45afa4e05ea0e3d5e1f2bdffde2465"
    )
    assert rule("accessorise colour yodelling") == "accessorize color yodeling"


# Article 1 of the Universal Declaration of Human Rights, as published in both scripts.
TRADITIONAL = (
    "人人生而自由，在尊嚴和權利上一律平等。"
    "他們賦有理性和良心，並應以兄弟關係的精神相對待。"
)
SIMPLIFIED = (
    "人人生而自由，在尊严和权利上一律平等。"
    "他们赋有理性和良心，并应以兄弟关系的精神相对待。"
)


@pytest.mark.parametrize("language", ["zh", "yue"])
def test_traditional_chinese_equals_simplified_where_that_is_asked_for(language):
    rule = rule_for("simplified", language)
    assert rule(TRADITIONAL) == rule(SIMPLIFIED) == basic(SIMPLIFIED)
    assert rule_for("basic", language)(TRADITIONAL) != basic(SIMPLIFIED)


@pytest.mark.parametrize(
    ("traditional", "expected"),
    [
        ("裡面裏面", "里面里面"),  # two forms of one character
        ("乾坤乾杯", "乾坤干杯"),  # by the word
        ("看著著名", "看着着名"),  # Taiwan has one character for two
        ("衞生粧枱", "卫生妆台"),  # Hong Kong
        ("軟體計程車", "软体计程车"),  # words are not translated
    ],
)
def test_simplified_characters(traditional, expected):
    assert rule_for("simplified", "zh")(traditional) == expected
    assert rule_for("simplified", "ja")(traditional) == traditional


def test_error_rate_of_traditional_against_simplified():
    pair = [ScoredUtterance("a", "s", "zh", SIMPLIFIED, TRADITIONAL)]
    rates = {
        name: evaluate(pair, name)["metrics"]["cer"]["normalized"]["rate"]
        for name in ("basic", "simplified")
    }
    # Nine of 39 characters have another form.
    assert rates == {"basic": pytest.approx(100 * 9 / 39), "simplified": 0}


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(InputError, match=r"whisper, simplified; got 'nfc'"):
        rule_for("nfc", "es")
