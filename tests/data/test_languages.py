import pytest
from transformers.models.whisper import tokenization_whisper

from espnet_merge.data.languages import read_languages
from espnet_merge.speech import LANGUAGES, code_of


def test_languages_are_those_of_transformers():
    assert set(tokenization_whisper.LANGUAGES) == LANGUAGES


def test_every_name_that_transformers_knows_has_its_code():
    for name, code in tokenization_whisper.TO_LANGUAGE_CODE.items():
        assert code_of(name) == code_of(name.title()) == code
    assert all(code_of(code) == code for code in LANGUAGES)


@pytest.mark.parametrize(
    ("named", "code"),
    [
        ("spa", "es"),
        ("ES", "es"),
        ("es-419", "es"),
        ("zh-CN", "zh"),
        ("zh_TW", "zh"),
        ("cmn-Hans-CN", "zh"),
        ("chi", "zh"),
        ("zh-yue", "yue"),
        ("yue-HK", "yue"),
        ("iw", "he"),
        ("in", "id"),
        ("nb-NO", "no"),
        ("nno", "nn"),
        ("fil", "tl"),
        ("tgl", "tl"),
        ("jav", "jw"),
        ("arb", "ar"),
        ("swh", "sw"),
        ("mya", "my"),
        ("tlh", None),
        ("spanisch", None),
        ("", None),
    ],
)
def test_codes_of_others(named, code):
    assert code_of(named) == code


def test_table_of_languages_is_in_whispers_codes(tmp_path):
    (tmp_path / "utt2lang").write_text("a Spanish\nb es\nc tlh\nd haitian creole\n")
    assert read_languages(tmp_path / "utt2lang") == {
        "a": "es",
        "b": "es",
        "c": "tlh",
        "d": "ht",
    }
