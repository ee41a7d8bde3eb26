from transformers.models.whisper import tokenization_whisper as whisper

from espnet_merge.speech import CODES, LANGUAGES


def test_languages_are_those_of_transformers_in_the_order_of_their_tokens():
    assert list(LANGUAGES.items()) == list(whisper.LANGUAGES.items())


def test_names_are_those_of_transformers():
    assert CODES == whisper.TO_LANGUAGE_CODE
