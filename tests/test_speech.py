import pytest
from transformers.models.whisper import tokenization_whisper as whisper

from espnet_merge.speech import CODES, LANGUAGES, code_of


def test_languages_are_those_of_transformers_in_the_order_of_their_tokens():
    assert list(LANGUAGES.items()) == list(whisper.LANGUAGES.items())


def test_names_are_those_of_transformers():
    assert CODES == whisper.TO_LANGUAGE_CODE


def test_every_name_has_its_code():
    for name, code in CODES.items():
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
