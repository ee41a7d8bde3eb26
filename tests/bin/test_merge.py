import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from espnet_merge.__main__ import main
from espnet_merge.methods import METHODS
from tests.checkpoint.build import fine_tuned, whisper_tensors, write_checkpoint


@pytest.fixture
def models(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    base = whisper_tensors()
    write_checkpoint(tmp_path / "base", base)
    for seed in (1, 2):
        write_checkpoint(tmp_path / f"e{seed}", fine_tuned(base, seed))
    return tmp_path


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
    assert any("density=0.2 scale=1.0 trim=tensor" in line for line in lines)


def damage(path, change):
    content = path.read_bytes()
    path.write_bytes(change(content))


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
            f"sys.exit(bool({absent!r} & sys.modules.keys()))"
        )
        subprocess.run([sys.executable, "-c", code, *args], check=True)


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
