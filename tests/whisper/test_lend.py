"""Languages that Whisper does not know, by a borrowed or a new token."""

import json
import shutil

import pytest
import torch
from transformers import WhisperForConditionalGeneration

from espnet_merge.__main__ import main
from espnet_merge.bin.whisper_train import main as whisper_train
from espnet_merge.decode.identify import posterior
from espnet_merge.errors import InputError
from espnet_merge.tasks.export import export
from espnet_merge.whisper.fetched import languages_of
from espnet_merge.whisper.model import encode, load_whisper
from espnet_merge.whisper.prompt import (
    encode_text,
    known_languages,
    load_tokenizer,
    prompt_ids,
)
from tests.speech import write_data
from tests.tasks.test_whisper import arguments


def lend(model, output, *more, code="ast", like="es"):
    words = ["language", "--model", model, "--add", code, "--like", like]
    main([*map(str, words), "--output", str(output), *more])
    return output


@pytest.fixture(scope="module")
def borrowed(micro_whisper, tmp_path_factory):
    return lend(micro_whisper, tmp_path_factory.mktemp("lend") / "borrowed")


@pytest.fixture(scope="module")
def own(micro_whisper, tmp_path_factory):
    return lend(micro_whisper, tmp_path_factory.mktemp("lend") / "own", "--own")


def test_a_borrowed_token(micro_whisper, borrowed):
    base, tokenizer = load_tokenizer(micro_whisper), load_tokenizer(borrowed)
    with pytest.raises(InputError, match=r"got 'ast' .*'espnet-merge language'"):
        prompt_ids(base, "ast", "transcribe")
    ids = prompt_ids(tokenizer, "ast", "translate")
    assert ids == prompt_ids(base, "es", "translate")
    assert languages_of(borrowed) == languages_of(micro_whisper) | {"ast"}
    same = ("model.safetensors", "config.json", "tokenizer.json")
    for file in same:
        assert (borrowed / file).read_bytes() == (micro_whisper / file).read_bytes()
    # transformers reads it under the same name.
    generation = WhisperForConditionalGeneration.from_pretrained(borrowed)
    assert generation.generation_config.lang_to_id["<|ast|>"] == ids[1]
    # Nobody can tell it from the one whose token it has.
    assert "ast" not in known_languages(tokenizer)
    encoded = encode(load_whisper(borrowed).model.encoder, torch.randn(1, 40, 80))
    with pytest.raises(InputError, match="some borrow another's"):
        posterior(load_whisper(borrowed), encoded, tokenizer, ["es", "ast"])


def test_a_token_of_its_own(micro_whisper, own):
    base, tokenizer = load_tokenizer(micro_whisper), load_tokenizer(own)
    before, after = load_whisper(micro_whisper), load_whisper(own)
    new = len(base)
    assert prompt_ids(tokenizer, "ast", "transcribe")[1] == new
    assert tokenizer.convert_ids_to_tokens(new) == "<|ast|>"
    assert "ast" in known_languages(tokenizer)
    rows = after.get_input_embeddings().weight
    spanish = base.convert_tokens_to_ids("<|es|>")
    assert torch.equal(rows[new], rows[spanish])
    assert torch.equal(rows[:new], before.get_input_embeddings().weight)
    state = after.state_dict()
    for name, value in before.state_dict().items():
        assert torch.equal(state[name][: len(value)], value)
    assert after.config.vocab_size == new + 1
    # It is given, and never said.
    assert new in after.generation_config.suppress_tokens


@pytest.mark.parametrize("kind", ["borrowed", "own"])
def test_train_decode_merge(kind, request, tmp_path):
    model = request.getfixturevalue(kind)
    data = tmp_path / "data"
    for seed, part in enumerate(("train", "valid")):
        write_data(data / part, languages=("ast", "es"), count=4, seed=seed)
    whisper_train(arguments(model, data, tmp_path / "exp", "--max_epoch", "1"))
    expert = tmp_path / "expert"
    export(tmp_path / "exp" / "valid.loss.ave.pth", expert)
    merge = ["merge", "--method", "soup", "--base", model, "--experts", expert]
    main([*map(str, merge), "--output", str(tmp_path / "soup")])
    for name in ("expert", "soup"):
        assert "ast" in languages_of(tmp_path / name)
        words = ["decode", "--model", tmp_path / name, "--data", data / "valid"]
        words += ["--output", tmp_path / f"{name}_out", "--pad-to", "0"]
        main([*map(str, words), "--max-new-tokens", "2"])
        text = json.loads((tmp_path / f"{name}_out" / "text.json").read_text())
        assert text["utterances"]["ast-000"]["language"] == "ast"
    words = ["--model", model, "--data", data / "valid"]
    main(["filter", *map(str, words), "--output", str(tmp_path / "kept")])
    main(["validate", *map(str, words)])
    with pytest.raises(SystemExit):
        main(["validate", *map(str, words[2:])])


@pytest.mark.parametrize("kind", ["borrowed", "own"])
def test_a_fetched_copy_knows_it_too(kind, request, tmp_path):
    model = request.getfixturevalue(kind)
    main(["fetch", str(model), "--output", str(tmp_path / "copy")])
    copy, tokenizer = tmp_path / "copy", load_tokenizer(tmp_path / "copy")
    assert languages_of(copy) == languages_of(model)
    ids = prompt_ids(tokenizer, "ast", "transcribe")
    assert ids == prompt_ids(load_tokenizer(model), "ast", "transcribe")
    never = load_whisper(copy).generation_config.suppress_tokens
    assert (ids[1] in never) == (kind == "own")
    # Whisper's other tokens can still be said.
    assert tokenizer.convert_tokens_to_ids("<|notimestamps|>") not in never


def test_what_is_made_like_chinese_has_no_space_either(micro_whisper, tmp_path):
    wu = lend(micro_whisper, tmp_path / "wu", "--own", code="wuu", like="zh")
    gan = lend(wu, tmp_path / "gan", code="gan", like="wuu")
    tokenizer = load_tokenizer(gan)
    for code in ("wuu", "gan"):
        ids = encode_text(tokenizer, "侬好", code, "transcribe")
        assert tokenizer.decode(ids) == "侬好"
    assert prompt_ids(tokenizer, "gan", "transcribe") == prompt_ids(
        tokenizer, "wuu", "transcribe"
    )


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"code": "es"}, "knows es already"),
        ({"code": "Asturiano"}, "code of two or three letters"),
        ({"code": "spa"}, "spa: data directories may say so already, for it is es"),
        ({"like": "xx"}, "language must be one of Whisper's 100 codes"),
    ],
)
def test_refusals(micro_whisper, tmp_path, capsys, more, message):
    with pytest.raises(SystemExit) as stop:
        lend(micro_whisper, tmp_path / "out", **more)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_an_english_only_model_is_refused(micro_whisper, tmp_path, capsys):
    model = shutil.copytree(micro_whisper, tmp_path / "english")
    (model / "generation_config.json").write_text('{"is_multilingual": false}')
    with pytest.raises(SystemExit):
        lend(model, tmp_path / "out")
    assert "an English-only model has no languages" in capsys.readouterr().err
