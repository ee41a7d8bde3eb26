from transformers.models.whisper import tokenization_whisper

from espnet_merge.speech import LANGUAGES


def test_languages_are_those_of_transformers():
    assert set(tokenization_whisper.LANGUAGES) == LANGUAGES
