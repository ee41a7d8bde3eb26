"""The whole recipe on a micro Whisper and twelve recorded utterances."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from espnet_merge.data.table import read_table, write_table
from tests.recipes.data import RECORDINGS

ROOT = Path(__file__).parents[2]
OPTIONS = {
    "experts": "es it",
    "test_sets": "es_test it_test",
    "train_args": "--max_epoch 1 --batch_size 4 --use_tensorboard false",
    "lora_config": "conf/lora.yaml",
    "decode_configs": "true_length",
    "decode_args": "--max-new-tokens 8",
    "train_nj": "2",
}


class Recipe:
    """A recipe directory in a tree that borrows the project's shared parts."""

    def __init__(
        self,
        root: Path,
        base: Path,
        venv: Path = Path(sys.prefix),
        *,
        set_up: bool = True,
    ) -> None:
        self.venv = root / ".venv"
        self.use(venv)
        for name in ("local", "conf", "tools", "espnet_merge"):
            (root / name).symlink_to(ROOT / name)
        template = root / "egs2" / "TEMPLATE"
        shutil.copytree(ROOT / "egs2" / "TEMPLATE", template)
        self.directory = root / "egs2" / "micro" / "merge1"
        self.base = base
        if not set_up:
            return
        setup = template / "merge1" / "setup.sh"
        subprocess.run([setup, self.directory], check=True, capture_output=True)
        (self.directory / "local" / "data.sh").write_text(
            f"#!/usr/bin/env bash\nexec {sys.executable} -m tests.recipes.data data\n"
        )
        lora = (ROOT / "conf" / "train" / "lora.yaml").read_text("utf-8")
        # Of 64 dimensions, rank 32 is half the model.
        lora = lora.replace("r: 32", "r: 2")
        (self.directory / "conf" / "lora.yaml").write_text(lora)

    def use(self, venv: Path) -> None:
        """Take the commands of another environment from now on."""
        self.venv.unlink(missing_ok=True)
        self.venv.symlink_to(venv)

    def run(self, **options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(**options), env=self.env(), text=True, capture_output=True
        )

    def command(self, **options: str) -> list[str]:
        words = [str(self.directory / "run.sh")]
        for name, value in {**OPTIONS, "base": str(self.base), **options}.items():
            words += [f"--{name}", value]
        return words

    def env(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def results(self) -> dict[str, bytes]:
        """Hypotheses and scores of all systems."""
        exp = self.directory / "exp"
        files = [*exp.glob("*/inference_*/*/text"), *exp.glob("*/*/*/score.json")]
        return {str(file.relative_to(exp)): file.read_bytes() for file in files}


@pytest.fixture(scope="module")
def recipe(
    tmp_path_factory: pytest.TempPathFactory, micro_whisper: Path, warm: Path
) -> Recipe:
    recipe = Recipe(tmp_path_factory.mktemp("tree"), micro_whisper, warm)
    done = recipe.run()
    assert done.returncode == 0, done.stderr[-3000:]
    return recipe


def test_every_system_is_in_the_results(recipe):
    results = (recipe.directory / "exp" / "RESULTS.md").read_text("utf-8")
    systems = ["zero_shot", "full_es", "full_it", "lora_es", "lora_it", "joint"]
    systems += ["soup", "task_arithmetic", "ties", "tsv_m", "lors"]
    for system in systems:
        assert f"| {system} " in results.replace("*", ""), system
        # The base is decoded as it was trained, whatever the others are.
        mode = "padded" if system == "zero_shot" else "true_length"
        for name in ("es_test", "it_test"):
            folder = recipe.directory / "exp" / system / f"inference_{mode}" / name
            score = json.loads((folder / "score.json").read_text("utf-8"))
            assert score["utterances"] == {"es_test": 4, "it_test": 2}[name]
    for picture in ("wer.png", "retention.png"):
        content = (recipe.directory / "exp" / "images" / picture).read_bytes()
        assert content.startswith(b"\x89PNG")


def test_test_sets_are_whole_and_what_is_not_heard_is_counted(recipe):
    """Of es_test one recording is cut short, and one is long and without words."""
    dump = recipe.directory / "dump" / "raw"
    assert read_table(dump / "es_test" / "text")["es-zz-long"] == ""
    assert read_table(dump / "es_test" / "wav.scp")["es-zz-cut"] == "None"
    assert read_table(dump / "es_test" / "utt2defect") == {"es-zz-cut": "cut short"}
    assert set(read_table(dump / "es_test" / "utt2lang").values()) == {"es"}
    content = json.loads(
        (
            recipe.directory / "exp/zero_shot/inference_padded/es_test/text.json"
        ).read_text("utf-8")
    )["utterances"]
    assert content["es-zz-cut"]["not_decoded"] == "cut short"
    assert len(content["es-zz-long"]["segments"]) >= 2
    results = (recipe.directory / "exp" / "RESULTS.md").read_text("utf-8")
    (row,) = [
        line for line in results.splitlines() if line.startswith("| es_test | es")
    ]
    assert row.startswith("| es_test | es | 4 |")
    assert row.endswith("| 1 | 1 |")


def test_segments_and_byte_order_marks(recipe):
    """it_test is cut out of what a command writes; es_train begins with a mark."""
    dump = recipe.directory / "dump" / "raw"
    for name, audio in read_table(dump / "it_test" / "wav.scp").items():
        found, rate = soundfile.read(recipe.directory / audio)
        expected, _ = soundfile.read(RECORDINGS / f"{name}.flac")
        assert rate == 16_000
        assert np.array_equal(found, expected)
    assert len(read_table(dump / "es_train" / "text")) == 3
    assert all(name.startswith("es-") for name in read_table(dump / "es_train/text"))


def test_merge_of_experts_is_written_with_its_provenance(recipe):
    text = (recipe.directory / "exp" / "tsv_m" / "model" / "merge.yaml").read_text()
    assert "tsv_m" in text
    assert "full_es" in text


@pytest.mark.parametrize(
    ("options", "statistics"),
    [
        ({"merge_configs": "regmean"}, ["full_es/gram", "full_it/gram"]),
        (
            {"merge_configs": "fisher", "merge_kind": "lora"},
            ["lora_es/fisher", "lora_it/fisher"],
        ),
    ],
)
def test_statistics_are_collected_where_a_method_needs_them(
    recipe, options, statistics
):
    done = recipe.run(stage="8", stop_stage="8", **options)
    assert done.returncode == 0, done.stderr[-3000:]
    exp = recipe.directory / "exp"
    text = (exp / options["merge_configs"] / "model" / "merge.yaml").read_text("utf-8")
    for path in statistics:
        assert f"exp/{path}/statistics.safetensors: " in text
        assert (exp / path / "statistics.yaml").is_file()


def test_another_normalizer_scores_again(recipe):
    paths = sorted(recipe.directory.glob("exp/*/inference_*/*/score.json"))
    before = [path.read_bytes() for path in paths]
    stage = {"stage": "10", "stop_stage": "10"}
    for name in ("fold", "basic"):
        done = recipe.run(**stage, normalizer=name)
        assert done.returncode == 0, done.stderr[-3000:]
        used = {json.loads(path.read_bytes())["normalizer"] for path in paths}
        assert used == {name}
    assert [path.read_bytes() for path in paths] == before


def test_second_run_does_nothing_again(recipe):
    before = {
        file: file.stat().st_mtime_ns
        for pattern in (
            *("dump/**/*", "exp/*/model/*"),
            *("exp/*/inference_*/*/text*", "exp/*/inference_*/*/score.json"),
        )
        for file in recipe.directory.glob(pattern)
        if file.is_file()
    }
    done = recipe.run()
    assert done.returncode == 0, done.stderr[-3000:]
    assert {f: f.stat().st_mtime_ns for f in before} == before


def test_jobs_that_share_a_decoding_say_the_same(recipe):
    place = recipe.directory / "exp" / "soup" / "inference_true_length"
    before = recipe.results()
    shutil.rmtree(place)
    done = recipe.run(stage="9", stop_stage="9", inference_nj="2")
    assert done.returncode == 0, done.stderr[-3000:]
    logs = {path.name for path in place.glob("*.log")}
    assert logs == {"decode.1.log", "decode.2.log", "decode.log"}
    assert recipe.run(stage="10", stop_stage="10").returncode == 0
    assert recipe.results() == before


def test_added_expert_is_taken_however_it_was_trained(recipe):
    expert = recipe.directory / "exp" / "lora_it"
    options = {"experts": "it", "kinds": "lora", "joint": "", "merge_configs": ""}
    options |= {"stage": "7", "stop_stage": "7"}
    options |= {"train_args": OPTIONS["train_args"].replace("epoch 1", "epoch 9")}
    anew = "stage 7: 0 done, 1 to do\n  training lora_it: option changed: --max_epoch\n"
    assert recipe.run(**options, dry_run="true").stdout == anew
    (expert / ".added").touch()  # as add_language.sh does
    done = recipe.run(**options)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "lora_it was added by add_language.sh: it is taken as it is" in done.stderr
    again = recipe.run(**options, take_added="false", dry_run="true")
    assert again.stdout == anew
    (expert / ".added").unlink()


def test_killed_stages_end_like_undisturbed(recipe, tmp_path, micro_whisper, warm):
    """Kill -9 in training, in merging and in decoding, and run again.

    What is killed are the commands as a user has them, which start cold: what they
    left and what warm ones made of it is what warm ones alone gave.
    """
    cut = Recipe(tmp_path, micro_whisper)
    fewer = {"kinds": "full", "joint": "", "merge_configs": "soup tsv_m"}
    for reached in ("exp/*/1epoch.pth", "exp/*/merge.log", "exp/*/inference_*"):
        process = subprocess.Popen(
            cut.command(**fewer),
            env=cut.env(),
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while process.poll() is None and not list(cut.directory.glob(reached)):
            time.sleep(0.05)
        assert process.poll() is None, f"ended before it reached {reached}"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    cut.use(warm)
    done = cut.run(**fewer)
    assert done.returncode == 0, done.stderr[-3000:]
    undisturbed, found = recipe.results(), cut.results()
    assert len(found) == 2 * 2 * 5  # text and score, two sets, five systems
    assert found == {name: undisturbed[name] for name in found}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stage": "12"}, "--stage must be 1 to 11; got '12'"),
        ({"stage": "x"}, "--stage must be 1 to 11; got 'x'"),
        ({"colour": "red"}, "unknown option 'colour'"),
        ({"merge_configs": "soap"}, "conf/merge/soap.yaml does not exist; there are:"),
        ({"kinds": "half"}, "--kinds must be of full and lora; got 'half'"),
        ({"kinds": "lora"}, "--merge_kind must be of --kinds, which are 'lora'"),
        ({"test_sets": "es_valid"}, "--test_sets must not be of training or"),
        ({"experts": ""}, "--experts must name at least one expert"),
        ({"config": "conf/none.yaml"}, "must be a readable file"),
    ],
)
def test_bad_options(recipe, options, message):
    done = recipe.run(**options)
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]


def test_what_cannot_be_trained_on_is_dropped_for_its_reason(
    tmp_path, micro_whisper, warm
):
    """Broken audio, and a text that is too long by the tokens of the base."""
    recipe = Recipe(tmp_path, micro_whisper, warm)
    assert recipe.run(stop_stage="1").returncode == 0
    (tmp_path / "bad.wav").write_bytes(b"RIFF, and no more")
    data = recipe.directory / "data" / "es_train"
    broken, long, _ = read_table(data / "text")
    wavs, texts = read_table(data / "wav.scp"), read_table(data / "text")
    write_table(data / "wav.scp", wavs | {broken: str(tmp_path / "bad.wav")})
    write_table(data / "text", texts | {long: "a" * 444})
    done = recipe.run(stage="2", stop_stage="5", speed_factors="0.9")
    assert done.returncode == 0, done.stderr[-3000:]
    kept = read_table(recipe.directory / "dump" / "raw" / "es_train_sp" / "text")
    assert len(kept) == 2
    lines = [line.split() for line in done.stderr.splitlines()]
    both = ["2", f"{broken},", f"sp0.9-{broken}"]
    assert ["unreadable", "audio", *both] in lines
    assert ["too", "many", "tokens", "2", f"{long},", f"sp0.9-{long}"] in lines


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda data: change(data, "utt2lang", "tlh"),
            "must be a language that the model knows",
        ),
        (lambda data: change(data, "wav.scp", "no-such-program |"), "is not: install"),
        (lambda data: change(data, "wav.scp", "/x/a.ark:9"), "an archive is not read"),
        (lambda data: (data / "utt2spk").write_text("x x\n"), "utt2spk: must have a"),
    ],
)
def test_data_that_cannot_be_used_is_refused_at_stage_1(
    recipe, tmp_path, damage, message
):
    script = recipe.directory / "local" / "data.sh"
    whole = script.read_text("utf-8")
    shutil.copytree(recipe.directory / "data", tmp_path / "data")
    damage(tmp_path / "data" / "es_valid")
    script.write_text(f"#!/bin/sh\ncp -r {tmp_path / 'data'}/es_valid data/\n")
    try:
        done = recipe.run(stop_stage="1")
    finally:
        script.write_text(whole)
        recipe.run(stop_stage="1")
    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if "error: " in line]
    assert len(errors) == 1
    assert message in errors[0]


def change(data, table, value):
    rows = read_table(data / table)
    write_table(data / table, dict.fromkeys(rows, value))


def test_place_that_cannot_be_written(recipe):
    done = recipe.run(expdir="/proc/none")
    assert done.returncode == 2
    assert "must be places to write to" in done.stderr.splitlines()[-1]


def test_stage_that_fails_says_where(recipe, tmp_path):
    done = recipe.run(stage="1", stop_stage="1", experts="es ru")
    assert done.returncode == 2
    assert (
        "data/ru_train must be there, by local/data.sh or 'espnet-merge import'"
        in done.stderr
    )
