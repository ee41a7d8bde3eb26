import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.models.whisper.english_normalizer import BasicTextNormalizer

from espnet_merge.errors import InputError
from espnet_merge.score.languages import LETTER_MARKS
from espnet_merge.score.normalize import NORMALIZERS, basic, fold, rule_for

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
    assert rule_for("fold", language) is basic


def test_folding_keeps_korean_syllables_whole():
    assert rule_for("fold", "ko")("한국어") == "한국어"


def test_folding_makes_spanish_without_accents_equal():
    rule = rule_for("fold", "es")
    assert rule("¿Cuál está?") == rule("cual esta") == "cual esta"


def test_turkish_capitals():
    assert rule_for("basic", "tr")("IĞDIR İzmir") == "ığdır izmir"


def test_whisper_is_english_only_for_english():
    assert rule_for("whisper", "en").__name__ == "english"
    assert rule_for("whisper", "es") is basic
    assert rule_for("whisper", "en")("It's twenty-one") == "it is 21"


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(InputError, match=r"none, basic, fold, whisper; got 'nfc'"):
        rule_for("nfc", "es")
