import subprocess
import sys

import numpy as np
import yaml
from safetensors.numpy import load_file

from espnet_merge.__main__ import main
from espnet_merge.methods import METHODS
from tests.checkpoint.build import whisper_tensors


def command(*extra, base="base", experts=("e1", "e2"), output="out"):
    return [
        "merge",
        *("--base", base),
        *("--experts", *experts),
        *("--output", output),
        *extra,
    ]


def test_weights_set_and_config_together(models):
    (models / "m.yaml").write_text(
        "method: task_arithmetic\nparams: {scale: 9, weights: [5, 5]}\n"
    )
    main(command("--config", "m.yaml", "--set", "scale=5e-1", "--weights", "1", "0"))
    merged = load_file(models / "out" / "model.safetensors")
    base, e1 = whisper_tensors(), load_file(models / "e1" / "model.safetensors")
    name = "model.encoder.conv1.weight"
    expected = base[name] + 0.5 * (e1[name] - base[name])
    np.testing.assert_allclose(merged[name], expected, atol=1e-7)


def test_dry_run_prints_the_plan_and_writes_nothing(models, capsys):
    main(command("--method", "tsv_m", "--dry-run"))
    out = capsys.readouterr().out
    assert "TsvM(scale=1.0" in out
    assert "9 tensors" in out
    assert not (models / "out").exists()


def test_half_precision_warns(models, capsys):
    main(command("--method", "soup", "--dtype", "bfloat16"))
    assert "rounds away about 16 %" in capsys.readouterr().err


def test_methods_lists_all(capsys):
    main(["methods"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(METHODS)
    assert any("density=0.2 scale=1.0 trim=global" in line for line in lines)


def test_nothing_heavy_is_imported(models):
    for args, absent in (
        (["methods"], {"numpy", "torch"}),
        (command("--method", "lors", "--dry-run"), {"torch"}),
        (command("--method", "soup", output="o1"), {"torch"}),
        (command("--method", "task_arithmetic", output="o2"), {"torch"}),
        (command("--method", "ties", output="o3"), {"torch"}),
    ):
        code = (
            "import sys; from espnet_merge.__main__ import main; main(sys.argv[1:]);"
            "print(*sys.modules)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, *args],
            capture_output=True,
            text=True,
            check=True,
        )
        imported = set(done.stdout.splitlines()[-1].split())
        assert "espnet_merge.methods" in imported
        assert imported & absent == set(), args


def test_all_but_the_output_may_stand_in_a_file(models):
    (models / "m.yaml").write_text(
        "merge_method: ties\nbase_model: base\ndtype: float16\n"
        "models: [{model: e1, parameters: {weight: 1}},"
        " {model: e2, parameters: {weight: 0.5}}]\n"
    )
    main(["merge", "--config", "m.yaml", "--output", "out", "--set", "scale=0.5"])
    record = yaml.safe_load((models / "out" / "merge.yaml").read_text())
    params = {"weights": [1.0, 0.5], "density": 1.0, "trim": "tensor", "scale": 0.5}
    assert record["params"] == params | {"consensus": "mean"}
    assert record["dtype"] == "float16"
    given = ["--experts", "e2", "e1", "--dtype", "float32", "--output", "again"]
    main(["merge", "--config", "out/merge.yaml", *given])
    again = yaml.safe_load((models / "again" / "merge.yaml").read_text())
    assert [expert["path"] for expert in again["experts"]] == ["e2", "e1"]
    assert (again["dtype"], again["params"]) == ("float32", record["params"])


def test_methods_are_found_however_they_are_written(models, capsys):
    for method, ours in (("TIES", "Ties"), ("tsv-M", "TsvM"), ("linear", "Soup")):
        main(command("--method", method, "--dry-run"))
        assert f"{ours}(" in capsys.readouterr().out
