"""Every bad input of a merge: status 2, one line that says it, nothing left behind."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from espnet_merge.__main__ import main
from tests.bin.test_merge import command
from tests.checkpoint.build import whisper_tensors, write_checkpoint


def damage(path, change):
    content = path.read_bytes()
    path.write_bytes(change(content))


def change(edit):
    """Return what rewrites the tensors of the second expert."""

    def rewrite():
        tensors = load_file(WEIGHTS)
        edit(tensors)
        save_file(tensors, WEIGHTS)

    return rewrite


def write_adapter(rows):
    """Write an adapter for a layer of so many rows as second expert."""
    shutil.rmtree("e2")
    Path("e2").mkdir()
    module = "base_model.model.model.encoder.layers.0.self_attn.q_proj"
    factors = {
        f"{module}.lora_A.weight": np.ones((2, 8), np.float32),
        f"{module}.lora_B.weight": np.ones((rows, 2), np.float32),
    }
    save_file(factors, "e2/adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 2}
    Path("e2/adapter_config.json").write_text(json.dumps(config))


def soup(*extra, **paths):
    return command("--method", "soup", *extra, **paths)


FC1 = "model.encoder.layers.0.fc1.weight"
WEIGHTS = Path("e2/model.safetensors")
BAD = {
    "unknown method": (None, command("--method", "tie"), "did you mean 'ties'"),
    "no method": (None, command(), "--method is missing"),
    "unknown parameter": (
        None,
        command("--method", "ties", "--set", "denstiy=1"),
        "did you mean 'density'",
    ),
    "out of range": (
        None,
        command("--method", "ties", "--set", "density=2"),
        "density must lie in (0, 1]",
    ),
    "no equals": (None, command("--method", "soup", "--set", "x"), "KEY=VALUE"),
    "bad yaml": (
        None,
        command("--method", "soup", "--set", "weights=[1"),
        "not valid YAML",
    ),
    "weights for a method without": (
        None,
        command("--method", "lors", "--weights", "1", "2"),
        "unknown parameter of lors 'weights'",
    ),
    "too many weights": (
        None,
        command("--method", "soup", "--weights", "1", "2", "3"),
        "got 3 for 2 experts",
    ),
    "config missing": (None, command("--config", "no.yaml"), "no.yaml: no such file"),
    "config of another form": (
        lambda: Path("c.yaml").write_text("scale: 1\n"),
        command("--config", "c.yaml"),
        "c.yaml: must hold",
    ),
    "config against method": (
        lambda: Path("c.yaml").write_text("method: ties\n"),
        command("--config", "c.yaml", "--method", "soup"),
        "--method soup contradicts",
    ),
    "base missing": (
        None,
        command("--method", "soup", base="nowhere"),
        "nowhere: no such checkpoint",
    ),
    "base as expert": (
        None,
        command("--method", "soup", experts=("e1", "base")),
        "is the base itself",
    ),
    "output exists": (
        None,
        command("--method", "soup", output="e1/../e2"),
        "one directory",
    ),
    "truncated": (
        lambda: damage(WEIGHTS, lambda c: c[:-5]),
        command("--method", "soup"),
        "truncated",
    ),
    "absurd header": (
        lambda: damage(WEIGHTS, lambda c: b"\xff" * 7 + b"\x3f" + c[8:]),
        command("--method", "soup"),
        "not a whole safetensors file",
    ),
    "NaN": (
        lambda: damage(WEIGHTS, lambda c: c[:-4] + b"\xff" * 4),
        command("--method", "soup"),
        "holds NaN or Inf",
    ),
    "output is under a file": (
        None,
        command("--method", "soup", output="base/config.json/out"),
        "config.json",
    ),
    "expert missing": (None, soup(experts=("e1", "nowhere")), "nowhere: no such"),
    "no checkpoint": (
        lambda: Path("e.pth").write_text("hello"),
        soup(experts=("e1", "e.pth")),
        "e.pth: must be a whole PyTorch file",
    ),
    "an empty directory": (
        lambda: Path("e3").mkdir(),
        soup(experts=("e1", "e3")),
        "e3: holds no weights of a known name",
    ),
    "no configuration": (
        lambda: Path("e2/config.json").unlink(),
        soup(),
        "e2/config.json: no such file",
    ),
    "configuration cut off": (
        lambda: damage(Path("e2/config.json"), lambda c: c[:-9]),
        soup(),
        "e2/config.json: not valid JSON",
    ),
    "other architecture": (
        lambda: write_checkpoint(Path("e2"), whisper_tensors(1), {"d_model": 16}),
        soup(),
        "e2: d_model is 16, but 8 in base",
    ),
    "tensor missing": (
        change(lambda tensors: tensors.pop(FC1)),
        soup(),
        f"e2: tensor {FC1} is missing",
    ),
    "tensor too many": (
        change(lambda tensors: tensors.update(more=tensors[FC1])),
        soup(),
        "base: tensor more is missing",
    ),
    "tensor of another shape": (
        change(lambda tensors: tensors.update({FC1: tensors[FC1].T.copy()})),
        soup(),
        f"tensor {FC1}: shape [8, 16] in e2",
    ),
    "other vocabulary": (
        lambda: [
            Path(x, "vocab.json").write_text(json.dumps({x: 1})) for x in ("base", "e2")
        ],
        soup(),
        "e2: another vocabulary than base: row 1 is 'e2', in the other 'base'",
    ),
    "an expert twice": (
        lambda: shutil.copytree("e2", "e3"),
        soup(experts=("e2", "e1", "e3")),
        "e3: holds the same weights as e2; an expert counts once",
    ),
    "no rank": (
        None,
        command("--method", "lors", "--set", "rank=0"),
        "rank must lie in [1, inf]",
    ),
    "Inf": (
        change(lambda tensors: tensors[FC1].__setitem__((2, 1), np.inf)),
        soup(),
        f"tensor {FC1} holds NaN or Inf",
    ),
    "too few experts": (
        None,
        command("--method", "slerp", experts=("e1",)),
        "needs at least 2, got 1",
    ),
    "too many experts": (
        None,
        command("--method", "slerp", experts=("e1", "e2", "e1")),
        "takes at most 2, got 3",
    ),
    "adapter for another base": (
        lambda: write_adapter(rows=9),
        soup(),
        "the adapter is not for the base base",
    ),
    "output is there": (
        lambda: Path("out").mkdir(),
        soup(),
        "out: exists; give another --output",
    ),
    "output is no merge": (
        lambda: Path("out").mkdir(),
        soup("--overwrite"),
        "out: exists without merge.yaml",
    ),
    "unknown option": (None, soup("--speed", "9"), "unrecognized arguments: --speed 9"),
    "unknown type": (None, soup("--dtype", "int8"), "invalid choice: 'int8'"),
    "no number": (None, soup("--weights", "much"), "invalid float value: 'much'"),
    "no experts": (
        None,
        ["merge", "--method", "soup", "--base", "base", "--output", "out"],
        "--experts is missing",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_one_line_and_leaves_nothing(models, capsys, kind):
    prepare, args, message = BAD[kind]
    if prepare:
        prepare()
    before = sorted(models.rglob("*"))
    with pytest.raises(SystemExit) as stop:
        main(args)
    assert stop.value.code == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert sorted(models.rglob("*")) == before
