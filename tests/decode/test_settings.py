from pathlib import Path

import pytest
import torch
import yaml

from espnet_merge.bin.decode import Command
from espnet_merge.decode.settings import Settings
from espnet_merge.errors import InputError
from espnet_merge.options import build, part, read_yaml

SHIPPED = sorted(Path(__file__).parents[2].glob("conf/decode/*.yaml"))


def read(path, **given):
    settings = build(Settings, read_yaml(Settings, path) | given)
    settings.check_languages()
    return settings


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_configurations_are_what_they_state(path):
    settings, stated = read(path), yaml.safe_load(path.read_text())
    assert stated
    assert {name: getattr(settings, name) for name in stated} == stated


def test_the_named_modes_are_what_they_say():
    modes = {path.stem: read(path) for path in SHIPPED}
    assert modes["padded"] == Settings(pad_to=30, beam=1)
    assert modes["true_length"] == Settings(pad_to=0, beam=1)


def test_the_command_line_stands_over_the_file(tmp_path):
    path = tmp_path / "mode.yaml"
    path.write_text("beam: 5\npad_to: 10\n")
    assert read(path, beam=2) == Settings(beam=2, pad_to=10)


def test_a_model_is_decoded_as_it_was_trained_unless_told_otherwise(tmp_path):
    (tmp_path / "whisper").mkdir()
    (tmp_path / "export.yaml").write_text("{pad_to: 0, tail: 4}\n")
    path = tmp_path / "mode.yaml"

    def settings(**given):
        told = {"model": tmp_path, "data": ["d"], "output": ["o"], "config": path}
        return part(build(Command, told | given), Settings)

    path.write_text("beam: 5\n")
    assert settings() == Settings(beam=5, pad_to=0, tail=4)
    # Who names one of the two means both.
    assert settings(pad_to=30.0) == Settings(beam=5)
    assert settings(model=tmp_path / "whisper") == Settings(beam=5)
    path.write_text("tail: 1\n")
    assert settings() == Settings(tail=1)


@pytest.mark.parametrize(("has_it", "dtype"), [(True, "bfloat16"), (False, "float32")])
def test_auto_is_the_type_that_the_processor_is_fast_in(
    tmp_path, monkeypatch, has_it, dtype
):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": has_it})
    path = tmp_path / "mode.yaml"
    path.write_text("dtype: auto\n")
    # What is recorded beside the hypotheses says what was computed, not what was asked.
    assert read(path).dtype == dtype
    told = {"model": tmp_path, "data": ["d"], "output": ["o"], "dtype": "auto"}
    assert part(build(Command, told), Settings) == Settings(dtype=dtype)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("beams: 5", "no setting is called 'beams'; did you mean beam"),
        ("beam: 0", "beam must be a whole number from 1"),
        ("beam: 1.5", "beam must be a whole number"),
        ("beam: yes", "beam must be a whole number"),
        ("pad_to: 31", "pad_to must be 0"),
        ("tail: long", "tail must be a number"),
        ("task: sing", "task must be one of transcribe, translate"),
        ("device: tpu", "device must be one of cpu, cuda"),
        ("language: spanish", "did you mean 'es'"),
        ("language: no", "language must be text in quotes; got False"),
        ("languages: [es]", "candidates of language auto; got language None"),
        ("{language: auto, languages: es}", "must be a list of texts; got 'es'"),
        ("{language: auto, languages: []}", "must be a list of codes"),
        ("{language: auto, languages: [es, xx]}", "Whisper's .* got 'xx'"),
        (
            "{language: auto, languages: [es, it, es]}",
            "must be distinct; got es, it, es",
        ),
        ("timestamps: often", "timestamps must be one of False, True; got 'often'"),
        ("temperatures: 0.2", "temperatures must be a list of numbers; got 0.2"),
        ("temperatures: [0.2, 0]", "each of temperatures must be .* 0.01 to 2; got 0"),
        ("max_compression: none", "max_compression must be a number from 1 to 1000"),
        ("min_log_probability: 1", "must be a number from -100 to 0; got 1"),
        ("no_speech: 60", "no_speech must be a number from 0 to 1; got 60"),
        ("backend: onnx", "backend must be one of torch, ctranslate2; got 'onnx'"),
        ("dtype: int8", "dtype of backend torch must be one of float32, float16"),
        ("{backend: ctranslate2, dtype: bfloat16}", "must be one of float32, int8"),
        ("{backend: ctranslate2, dtype: auto}", "must be one of float32, int8"),
        ("{backend: ctranslate2, temperatures: [1]}", "temperatures need backend t"),
        ("max_new_tokens: 445", "max_new_tokens must be a whole number from 1 to 444"),
        ("- beam", "must hold lines"),
        ("beam: [", "a YAML file is needed"),
    ],
)
def test_wrong_files_are_refused(tmp_path, content, message):
    path = tmp_path / "mode.yaml"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        read(path)
