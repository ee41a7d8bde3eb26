import pytest

from espnet_merge.errors import InputError
from espnet_merge.whisper.prompt import (
    check_language,
    encode_target,
    first_timestamp,
    load_tokenizer,
    needed_timestamp,
    prompt_ids,
    token_id,
)
from tests.micro import write_tokenizer


@pytest.fixture(scope="module")
def tokenizer(micro_whisper):
    return load_tokenizer(micro_whisper)


def test_prompt_is_per_utterance(tokenizer):
    spoken = [
        tokenizer.convert_ids_to_tokens(prompt_ids(tokenizer, language, task))
        for language, task in [("es", "transcribe"), ("ru", "translate")]
    ]
    assert spoken == [
        ["<|startoftranscript|>", "<|es|>", "<|transcribe|>", "<|notimestamps|>"],
        ["<|startoftranscript|>", "<|ru|>", "<|translate|>", "<|notimestamps|>"],
    ]


def test_prompt_for_timestamps(tokenizer):
    ids = prompt_ids(tokenizer, "es", "transcribe")
    assert prompt_ids(tokenizer, "es", "transcribe", timestamps=True) == ids[:3]


def test_target_decodes_to_its_text(tokenizer):
    ids = encode_target(tokenizer, "¿Qué? да", "es", "transcribe")
    prompt = "<|startoftranscript|><|es|><|transcribe|><|notimestamps|>"
    assert tokenizer.decode(ids) == f"{prompt} ¿Qué? да<|endoftext|>"


@pytest.fixture(scope="module")
def word_tokenizer(tmp_path_factory):
    """A tokenizer that has the words " hola" and "hola", as Whisper's has."""
    merges = ("h o", "l a", "ho la", "Ġ hola")
    return write_tokenizer(tmp_path_factory.mktemp("words"), merges)


def first_of(tokenizer, text, language="es", task="transcribe"):
    return tokenizer.convert_ids_to_tokens(
        encode_target(tokenizer, text, language, task)[4]
    )


def test_a_text_begins_as_whisper_writes_it(word_tokenizer):
    # openai/whisper encodes " " + text.strip(); GPT-2 writes a space as Ġ.
    assert first_of(word_tokenizer, "hola hola") == "Ġhola"
    assert first_of(word_tokenizer, "  hola\t") == "Ġhola"
    ids = encode_target(word_tokenizer, "hola hola", "es", "transcribe")
    assert ids[4] == ids[5] == word_tokenizer.get_vocab()["Ġhola"]


@pytest.mark.parametrize("language", ["ja", "th", "yue", "zh"])
def test_no_space_where_whisper_writes_none(word_tokenizer, language):
    assert first_of(word_tokenizer, " hola", language) == "hola"
    # What is translated is English.
    assert first_of(word_tokenizer, "hola", language, "translate") == "Ġhola"


@pytest.mark.parametrize("language", ["en", "ko", "my", "lo", "ru"])
def test_a_space_everywhere_else(word_tokenizer, language):
    assert first_of(word_tokenizer, "hola", language) == "Ġhola"


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("spanish", "did you mean 'es'"),
        ("zh-CN", "did you mean 'zh'"),
        ("iw", "did you mean 'he'"),
        ("e5", "near ones"),
        ("", "none"),
    ],
)
def test_unknown_language(code, hint):
    with pytest.raises(InputError, match=hint):
        check_language(code)


def test_unknown_task(tokenizer):
    with pytest.raises(InputError, match="transcribe, translate"):
        prompt_ids(tokenizer, "es", "summarise")


def test_token_that_the_model_lacks(tokenizer):
    with pytest.raises(InputError, match=r"must have <\|xx\|>"):
        token_id(tokenizer, "<|xx|>")


def test_no_tokenizer(tmp_path):
    with pytest.raises(InputError, match="espnet-merge fetch"):
        load_tokenizer(tmp_path)


def test_timestamps_stand_where_older_tokenizers_list_none(tokenizer, tmp_path):
    zero = token_id(tokenizer, "<|0.00|>")
    assert first_timestamp(tokenizer) == zero
    old = write_tokenizer(tmp_path, old=True)
    assert old.convert_ids_to_tokens(zero) is None
    assert first_timestamp(old) == needed_timestamp(old) == zero
    # Whoever added a token to such a tokenizer put it there.
    old.add_tokens(["<|name|>"])
    assert first_timestamp(old) is None
    with pytest.raises(InputError, match="do without timestamps, or take"):
        needed_timestamp(old)
