"""``espnet-merge preflight`` on the recordings, and with what breaks a run."""

import re
import shutil
from pathlib import Path

import pytest

from espnet_merge.__main__ import main
from espnet_merge.bin.preflight import Command
from espnet_merge.data.limits import Limits
from espnet_merge.data.table import read_table, write_table

CONFIG = """
batch_type: sorted
batch_size: 4
optim: adamw
optim_conf: {lr: 1.0e-5, fused: true}
pad_to: 0
tail: 4
num_workers: 0
keep_nbest_models: 2
"""
LORA = """
lora: true
lora_conf: {r: 4, target_modules: [q_proj, v_proj]}
max_trainable_share: 0.3
"""


@pytest.fixture
def recipe(finished_recipe, tmp_path):
    """A copy that may be broken, with configurations."""
    recipe = shutil.copytree(finished_recipe, tmp_path / "recipe")
    (recipe / "full.yaml").write_text(CONFIG)
    (recipe / "lora.yaml").write_text(CONFIG + LORA)
    return recipe


def words(recipe: Path, *more: str) -> list[str]:
    raw = recipe / "dump/raw"
    return [
        *("preflight", "--model", str(recipe / "exp/base")),
        *("--expdir", str(recipe / "exp")),
        *("--train", str(raw / "es_train"), str(raw / "it_train")),
        *("--valid", str(raw / "es_valid"), "--test", str(raw / "es_test")),
        *("--training", f"full={recipe}/full.yaml", f"lora={recipe}/lora.yaml"),
        *more,
    ]


def lines(capsys) -> dict[str, str]:
    """What is printed: name -> the rest of the line, its state first."""
    out = capsys.readouterr().out.splitlines()
    return {line[8:42].strip(): f"{line[:8].strip()} {line[42:]}" for line in out}


def test_a_run_that_may_start(recipe, capsys):
    systems = ("full=full_es,full_new", "lora=lora_es", "merged=soup")
    (recipe / "exp/full_es/.done").write_text("")
    main(words(recipe, "--systems", *systems))
    out = capsys.readouterr().out
    labels = [line[42:] for line in out.splitlines() if line[8:].startswith("label ")]
    assert len(labels) == 5
    for label in labels:
        assert "<|startoftranscript|><|" in label
        assert "<|transcribe|><|notimestamps|>" in label
        assert label.endswith("<|endoftext|>")
    text = read_table(recipe / "dump/raw/es_train/text")
    name, _, label = labels[0].partition(": ")
    assert f"<|es|><|transcribe|><|notimestamps|> {text[name]}<|endoftext|>" in label
    assert "training full                     trains " in out
    # ESPnet makes 6 // 4 batches of six utterances, so that one has them all.
    assert "longest batch of full             6 utterances of " in out
    assert "1 full of " in out  # what is done takes no more
    assert "1 lora of " in out
    assert "1 merged of 1 MB" in out or "1 merged of 2 MB" in out
    assert "decoding by the base              es-" in out
    assert out.splitlines()[-1] == "ready to run, with 3 notes"  # one speaker for all


def test_the_share_that_is_trained_and_the_longest_batch(recipe, capsys):
    from espnet_merge.whisper.model import load_whisper

    main(words(recipe, "--train-args=--batch_size 2 --tail 1"))
    found = lines(capsys)
    whisper = load_whisper(recipe / "exp/base")
    weights = sum(p.numel() for p in whisper.parameters())
    fixed = whisper.model.encoder.embed_positions.weight.numel()
    assert f"trains {weights - fixed:,} of {weights:,}" in found["training full"]
    # q and v of 2 encoder layers, and of both attentions of 2 decoder layers, rank 4.
    added = (2 + 4) * 2 * 4 * (64 + 64)
    assert f"trains {added:,} of {weights + added:,}" in found["training lora"]
    assert "2 utterances of " in found["longest batch of full"]
    told = r"ok [\d.]+ GB at the peak, 1 at the same time; [\d.]+ GB on this machine"
    assert re.fullmatch(told, found["memory of lora"])


@pytest.mark.parametrize(
    ("train_args", "told"),
    [
        ("--batchsize 3", "unrecognized arguments: --batchsize 3"),
        ("--model_conf label_smoothing=2", "label_smoothing must be a number in"),
        ("--max_trainable_share 0.001", "max_trainable_share"),
        ("--use_wandb true", "use_wandb needs the package wandb"),
    ],
)
def test_options_of_training_that_break_it(recipe, capsys, train_args, told):
    with pytest.raises(SystemExit) as ended:
        main(words(recipe, f"--train-args={train_args}"))
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    found = [line for line in out.splitlines() if told in line]
    assert found
    assert all(line.startswith("wrong   training ") for line in found)
    assert "will break it: training " in err.splitlines()[-1]


def test_a_loss_that_is_not_finite(recipe, capsys):
    from safetensors.torch import load_file, save_file

    weights = recipe / "exp/base/model.safetensors"
    state = load_file(weights)
    state["model.encoder.conv1.bias"] += float("nan")
    save_file(state, weights, metadata={"format": "pt"})
    with pytest.raises(SystemExit) as ended:
        main(words(recipe))
    assert ended.value.code == 2
    found = lines(capsys)
    assert "the loss of the first batch must be finite" in found["training full"]


def test_a_training_set_of_nothing(recipe, capsys):
    for name in ("es_train", "it_train"):
        table = recipe / "dump/raw" / name / "text"
        write_table(table, dict.fromkeys(read_table(table), ""))
    with pytest.raises(SystemExit) as ended:
        main(words(recipe))
    assert ended.value.code == 2
    found = lines(capsys)
    assert found["es_train"].startswith("wrong no utterance is usable (3 no text)")
    assert "training full" not in found


def test_a_disk_that_is_too_small(recipe, monkeypatch, capsys):
    import shutil as disk

    real = disk.disk_usage(recipe)
    monkeypatch.setattr(
        "espnet_merge.preflight.disk.shutil.disk_usage",
        lambda _: real._replace(free=1000),
    )
    with pytest.raises(SystemExit) as ended:
        main(words(recipe, "--systems", "full=full_new"))
    assert ended.value.code == 2
    assert lines(capsys)["disk"].startswith("wrong 0 MB free, ")


def test_a_base_that_is_none(recipe, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*words(recipe), "--model", str(tmp_path)])
    assert ended.value.code == 2
    assert "needs its tokenizer.json" in capsys.readouterr().err


def test_limits_are_of_what_is_learnt():
    command = Command(
        model="base",
        expdir="exp",
        max_seconds=3,
        max_utterances=5,
        max_test_utterances=7,
    )
    limits = command.plan().limits
    assert limits["train"] == Limits(max_seconds=3, max_utterances=5)
    assert limits["valid"] == Limits(max_seconds=3)
    assert limits["test"] == Limits(max_utterances=7)


@pytest.mark.gpu
def test_memory_is_that_of_the_gpu(recipe, capsys):
    from torch import cuda

    main(words(recipe, "--device", "cuda"))
    total = cuda.get_device_properties(0).total_memory / 1e9
    assert lines(capsys)["memory of full"].endswith(f"at the peak of {total:.1f} GB")
