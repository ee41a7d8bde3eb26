"""What models say of the labels that they were trained on; see tests/tasks, too."""

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file

from espnet_merge.checkpoint.labels import label_formats, label_warnings

OLD, NEW = {"no_space"}, {"leading_space"}


def write(path, **content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content))
    return path.parent


def write_adapter(directory, **metadata):
    directory.mkdir()
    weights = {"a": np.zeros(1, "f4")}
    save_file(weights, directory / "adapter_model.safetensors", metadata)
    return directory


def test_models_of_others_say_nothing(tmp_path):
    peft = write_adapter(tmp_path / "peft", format="pt")
    espnet = write(tmp_path / "own" / "config.yaml", encoder="whisper")
    (espnet / "1epoch.pth").touch()
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "adapter_model.safetensors").write_bytes(b"half")
    for model in (tmp_path, peft, espnet / "1epoch.pth", broken, tmp_path / "none"):
        assert label_formats(model) == set()
    assert label_warnings([tmp_path, peft], merged=True) == []


def test_a_merge_is_what_its_experts_are(tmp_path):
    old = write(tmp_path / "old" / "export.yaml", checkpoint="x")
    new = write(tmp_path / "new" / "export.yaml", label_format="leading_space")
    gone = str(tmp_path / "gone")
    of = {
        "both": ([old, new, gone], OLD | NEW),
        "one": ([new], NEW),
        "none": ([gone], set()),
    }
    for name, (experts, formats) in of.items():
        paths = [{"path": str(expert)} for expert in experts]
        merge = write(tmp_path / name / "merge.yaml", experts=paths)
        # That the side files of an expert were copied along does not matter.
        write(tmp_path / name / "export.yaml", checkpoint="x")
        assert label_formats(merge) == formats
    again = write(
        tmp_path / "again" / "merge.yaml", experts=[{"path": str(tmp_path / "both")}]
    )
    assert label_formats(again) == OLD | NEW


@pytest.mark.parametrize("merged", [False, True])
def test_many_models_are_one_line(tmp_path, merged):
    models = [write(tmp_path / f"{i}" / "export.yaml", checkpoint="x") for i in "12345"]
    [warning] = label_warnings(models, merged=merged)
    assert warning.startswith(", ".join(map(str, models[:3])) + " and 2 more: trained")
    new = write(tmp_path / "new" / "export.yaml", label_format="leading_space")
    assert len(label_warnings([*models, new], merged=merged)) == 1 + merged


def test_decode_and_statistics_warn(tmp_path, micro_whisper, capsys):
    import shutil

    from espnet_merge.__main__ import main
    from tests.speech import write_data

    model = shutil.copytree(micro_whisper, tmp_path / "model")
    write(model / "export.yaml", checkpoint="x")
    data = write_data(tmp_path / "data", count=1)
    words = ["--model", str(model), "--data", str(data), "--pad-to", "0"]
    for command, more in (
        ("decode", ("--max-new-tokens", "2")),
        ("statistics", ("--kind", "gram")),
    ):
        output = str(tmp_path / command)
        main([command, *words, *more, "--output", output])
        assert (
            f"espnet-merge {command}: warning: {model}: trained by an older version"
        ) in capsys.readouterr().err
