"""English-only models: their own prompt, and no language or task."""

import json
import shutil

import pytest

from espnet_merge.__main__ import main
from espnet_merge.bin.whisper_train import main as whisper_train
from espnet_merge.decode.torch_backend import TorchBackend
from espnet_merge.errors import InputError
from espnet_merge.tasks.export import export
from espnet_merge.whisper.fetched import languages_of
from espnet_merge.whisper.labels import LabelConf, LabelInput, make_label
from espnet_merge.whisper.prompt import load_tokenizer, prompt_ids
from tests.speech import write_data
from tests.tasks.test_whisper import arguments

OWN = ["<|startoftranscript|>", "<|notimestamps|>"]


@pytest.fixture(scope="module")
def english(micro_whisper, tmp_path_factory):
    """Its tokenizer has tokens of languages, as that of base.en has."""
    model = tmp_path_factory.mktemp("english") / "model"
    shutil.copytree(micro_whisper, model)
    file = model / "generation_config.json"
    content = json.loads(file.read_text()) | {"is_multilingual": False}
    file.write_text(json.dumps(content))
    return model


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    for seed, part in enumerate(("train", "valid")):
        write_data(root / part, languages=("en",), count=4, seed=seed)
    return root


def refusal(capsys, *words) -> str:
    with pytest.raises(SystemExit) as stop:
        main(list(map(str, words)))
    assert stop.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_the_prompt_has_neither_language_nor_task(english):
    tokenizer = load_tokenizer(english)
    ids = prompt_ids(tokenizer, "en", "transcribe")
    assert tokenizer.convert_ids_to_tokens(ids) == OWN
    timed = prompt_ids(tokenizer, "en", "transcribe", timestamps=True)
    assert timed == ids[:1]
    for language, task in (("es", "transcribe"), ("en", "translate")):
        with pytest.raises(InputError, match="English-only model; got"):
            prompt_ids(tokenizer, language, task)


def test_a_vocabulary_of_english_tells_it(english, tmp_path):
    """Directories without a generation configuration, as old ones are."""
    (tmp_path / "config.json").write_text('{"vocab_size": 51864}')
    assert languages_of(tmp_path) == {"en"}
    (tmp_path / "config.json").write_text('{"vocab_size": 51865}')
    assert {"en", "es", "yue"} < languages_of(tmp_path)


def test_only_text_and_end_are_learnt(english):
    tokenizer = load_tokenizer(english)
    one = LabelInput("en-1", "hi", "en", "transcribe", 1.0)
    ids, learnt = make_label(tokenizer, one, LabelConf(), 448)
    assert learnt == [False, False, True, True, True, True]
    assert tokenizer.decode(ids) == "".join(OWN) + " hi<|endoftext|>"
    with pytest.raises(InputError, match=r"label_conf.language must be 0 for an Engl"):
        make_label(tokenizer, one, LabelConf(language=1), 448)


def test_decoding(english, data, tmp_path, monkeypatch, capsys):
    seen = []
    search = TorchBackend.search

    def watched(self, encoded, prompts):
        seen.extend(prompts)
        return search(self, encoded, prompts)

    monkeypatch.setattr(TorchBackend, "search", watched)
    short = ("--pad-to", "0", "--max-new-tokens", "2")
    words = ["decode", "--model", english, "--data", data / "valid"]
    words += ["--output", tmp_path / "out", *short]
    main(list(map(str, words)))
    tokenizer = load_tokenizer(english)
    assert [tokenizer.convert_ids_to_tokens(ids) for ids in seen] == [OWN] * 4
    words[words.index(tmp_path / "out")] = tmp_path / "other"
    expected = {
        ("--language", "es"): "language must be 'en' for an English-only model; got",
        ("--language", "auto"): "language auto needs a multilingual model",
        ("--task", "translate"): "task must be transcribe for an English-only model",
    }
    for option, message in expected.items():
        assert message in refusal(capsys, *words, *option)
    spanish = write_data(tmp_path / "es", count=1)
    words[words.index(data / "valid")] = spanish
    assert "es-000: language must be 'en' for an" in refusal(capsys, *words)
    assert not (tmp_path / "other").exists()


def test_other_commands_refuse(english, data, tmp_path, capsys):
    spanish = write_data(tmp_path / "es", count=1)
    words = ["statistics", "--kind", "gram", "--model", english, "--data", spanish]
    line = refusal(capsys, *words, "--output", tmp_path / "gram")
    assert "language must be 'en' for an English-only model; got 'es'" in line
    words = ["similarity", "--model", english, "--data", data / "valid"]
    line = refusal(capsys, *words, "--languages", "en,es")
    assert "language auto needs a multilingual model" in line
    words = ["filter", "--model", english, "--data", spanish]
    line = refusal(capsys, *words, "--output", tmp_path / "kept")
    assert "1 unknown language" in line


def test_training(english, data, tmp_path, capsys):
    words = arguments(english, data, tmp_path / "exp", "--max_epoch", "1")
    whisper_train(words)
    export(tmp_path / "exp" / "valid.loss.ave.pth", tmp_path / "model")
    assert languages_of(tmp_path / "model") == {"en"}
    spanish = tmp_path / "es"
    for part in ("train", "valid"):
        write_data(spanish / part, count=2)
    with pytest.raises(SystemExit) as stop:
        whisper_train(arguments(english, spanish, tmp_path / "no"))
    assert stop.value.code == 2
    assert "language must be 'en' for an English-only" in capsys.readouterr().err
