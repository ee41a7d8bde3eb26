import pytest

from espnet_merge.errors import InputError
from espnet_merge.whisper.prompt import (
    check_language,
    encode_target,
    load_tokenizer,
    prompt_ids,
    token_id,
)


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
    assert tokenizer.decode(ids) == (
        "<|startoftranscript|><|es|><|transcribe|><|notimestamps|>¿Qué? да<|endoftext|>"
    )


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
