import json
import re
from pathlib import Path

import numpy as np
import pytest

from espnet_merge.__main__ import main
from tests.checkpoint.build import fine_tuned, whisper_tensors, write_checkpoint

BASE = whisper_tensors()


def moved(seed, size=0.01, sign=1.0):
    """Return the base moved along the direction of ``seed``."""
    there = fine_tuned(BASE, seed, size)
    return {
        k: v if v.dtype.kind == "i" else (v + (sign - 1) * (v - BASE[k])).astype("f4")
        for k, v in there.items()
    }


def flat(tensors):
    return np.concatenate([v.ravel() for v in tensors.values() if v.dtype.kind == "f"])


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_checkpoint(tmp_path / "base", BASE)

    def write(**experts):
        for name, tensors in experts.items():
            write_checkpoint(tmp_path / name / "model", tensors)
        return ["--base", "base", "--experts", *(f"{name}/model" for name in experts)]

    return write


def warnings_of(capsys, *args):
    main(["inspect", *args])
    captured = capsys.readouterr()
    return captured.out, captured.err.splitlines()


def test_experts_in_general_position_give_no_warning(write, capsys):
    out, warnings = warnings_of(capsys, *write(es=moved(1), it=moved(2)))
    assert warnings == []
    norm, base = np.linalg.norm(flat(moved(1)) - flat(BASE)), np.linalg.norm(flat(BASE))
    line = rf"^  es +{norm:.3g} +{100 * norm / base:.3g} % +[0-9.]+$"
    assert re.search(line, out, re.MULTILINE)
    assert re.search(r"^  es, it +[+-]0\.\d{3} ", out, re.MULTILINE)
    assert "encoder.layers linear" in out


def test_what_does_not_merge_well_is_named(write, capsys):
    args = write(
        es=moved(1), same=moved(1), against=moved(1, sign=-0.9), far=moved(2, 0.1)
    )
    _, warnings = warnings_of(capsys, *args)
    text = "\n".join(warnings)
    assert re.search(r"far moved 10\.\d times as far as the median of the others", text)
    assert "es and same are nearly one expert (cosine 1.000" in text
    assert "es and against pull apart: cosine -1.00 over the whole model" in text
    assert "takes back 100 % of each move" in text
    assert "in 2 of 2 layers a pair moves apart" in text
    assert "encoder.layers.0 (100 %)" in text


def test_an_expert_that_did_not_move_is_named(write, capsys):
    out, warnings = warnings_of(capsys, *write(es=moved(1), still=BASE, it=moved(3)))
    assert len(warnings) == 1
    assert "still did not move: it equals the base; leave it out." in warnings[0]
    assert re.search(r"^  still +0 +0 % +–$", out, re.MULTILINE)


def test_one_expert_has_no_pairs(write, capsys):
    args = write(es=moved(1))
    out, warnings = warnings_of(capsys, *args, "--output", "out")
    assert warnings == []
    assert "Pairs" not in out
    assert Path("out/layers.png").is_file()


def test_output_holds_every_number(write, capsys):
    args = write(es=moved(1), it=moved(2), ru=moved(3))
    warnings_of(capsys, *args, "--output", "out", "--rank", "2")
    written = sorted(path.name for path in Path("out").iterdir())
    assert written == ["experts.png", "inspect.html", "inspect.json", "layers.png"]
    record = json.loads(Path("out/inspect.json").read_text())
    assert record["labels"] == ["es", "it", "ru"]
    assert record["warnings"] == []
    cell = next(cell for cell in record["cells"] if cell["part"] == "fc1")
    assert (cell["stack"], cell["layer"]) == ("encoder.layers", 0)
    name = "model.encoder.layers.0.fc1.weight"
    delta = moved(1)[name] - BASE[name]
    assert cell["norms"][0] == pytest.approx(np.linalg.norm(delta), rel=1e-5)
    sigma = np.linalg.svd(delta, compute_uv=False)
    stable = (sigma**2).sum() / sigma[0] ** 2
    assert cell["stable_rank"][0] == pytest.approx(stable, rel=1e-5)
    assert cell["left_random"][0][1] == 2 / 16
    bias = next(cell for cell in record["cells"] if cell["part"] == "bias")
    assert "stable_rank" not in bias
    assert record["definitions"].keys() >= cell.keys() - {
        *("stack", "layer", "role", "part", "left_random", "right_random")
    }
    html = Path("out/inspect.html").read_text()
    assert html.count('src="data:image/png;base64,') == 2
    assert not re.search(r'(src|href)="(?!data:)', html)


def test_older_output_is_replaced_only_when_told(write, capsys):
    args = write(es=moved(1), it=moved(2))
    warnings_of(capsys, *args, "--output", "out")
    with pytest.raises(SystemExit):
        main(["inspect", *args, "--output", "out"])
    warnings_of(capsys, *args, "--output", "out", "--overwrite")


BAD = {
    "rank": ({}, ["--rank", "0"], "--rank must be >= 1"),
    "NaN": (
        {"model.encoder.layers.0.fc1.weight": np.full((16, 8), np.nan, np.float32)},
        [],
        "fc1.weight holds NaN or Inf",
    ),
    "shape": (
        {"model.encoder.layers.0.fc1.weight": np.zeros((16, 9), np.float32)},
        [],
        "shape [16, 9]",
    ),
    "output": ({}, ["--output", "base"], "exists; give another"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_one_line_and_leaves_nothing(write, capsys, tmp_path, kind):
    changed, extra, message = BAD[kind]
    args = write(es=moved(1), it=moved(2) | changed)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SystemExit) as stop:
        main(["inspect", *args, *extra])
    assert stop.value.code == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before
