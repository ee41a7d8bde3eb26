"""Train a micro Whisper on several objectives through ESPnet's own trainer."""

import logging
import re
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from espnet_merge.bin.objectives_train import main as objectives_train
from espnet_merge.data.table import read_table
from espnet_merge.objectives.conf import BEST_RQ, read_conf
from espnet_merge.tasks.export import export
from espnet_merge.tasks.objectives import ObjectivesIterFactory, ObjectivesTask
from espnet_merge.tasks.whisper import WhisperTask
from tests.speech import write_data
from tests.tasks.processes import train_in_two
from tests.tasks.test_whisper import arguments

PAIR = {"asr": {"task": "transcribe"}, "st": {"task": "translate"}}
SOUP = {
    "objectives": {
        "asr": {"task": "transcribe", "by_language": True},
        "st": {"task": "translate"},
        "u": {"loss": "best_rq", "task": "transcribe"},
    },
    "levels": [
        {"objectives": ["asr"]},
        {"objectives": ["st"], "weight": {"first": 0.1, "rise": 0.02}},
        {"objectives": ["u"], "weight": {"first": 0.0, "rise": 0.02}},
    ],
    "layers": {"select": False, "every": 4},
    "best_rq": {"codebook_size": 16, "code_dim": 4},
    "solver_conf": {"gamma": 0.1},
}


def write_tasks(directory: Path, count: int, seed: int = 0) -> None:
    """Each pair of utterances is to be transcribed, the next one translated."""
    write_data(directory, languages=("es", "ru"), count=count, seed=seed)
    names = list(read_table(directory / "utt2task"))
    tasks = ["translate" if int(n[3:]) // 2 % 2 else "transcribe" for n in names]
    rows = [f"{name} {task}\n" for name, task in zip(names, tasks, strict=True)]
    (directory / "utt2task").write_text("".join(rows))
    rows = [f"{name} {'texto ' * (1 + 3 * int(name[3:]))}\n" for name in names]
    (directory / "text").write_text("".join(rows))


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_tasks(root / "train", 16)
    write_tasks(root / "valid", 4, seed=1)
    return root


def words(whisper, data, output, conf, *more):
    file = output.parent / f"{output.name}.yaml"
    file.write_text(yaml.safe_dump({"objectives_conf": conf}))
    return arguments(whisper, data, output, "--config", str(file), "--batch_size", "2",
                     *more)  # fmt: skip


SPEECH_ALONE = {"objectives": {"u": {"loss": BEST_RQ}}, "solver": "static"}
KINDS = {("transcribe", "es"), ("translate", "es")}


class Slices:
    """A factory whose epochs are parts of one pass over its utterances."""

    def __init__(self, names: str, size: int) -> None:
        self.names, self.size = names, size

    def build_iter(self, epoch, shuffle=None):
        start = (epoch - 1) * self.size % len(self.names)
        frames = torch.ones(1, 10, 80), torch.tensor([10])
        return [
            ([name], {"speech": frames[0], "speech_lengths": frames[1]})
            for name in self.names[start : start + self.size]
        ]


def test_texts_say_how_long_an_epoch_is():
    factories = [Slices("abcd", 4), Slices("efgh", 4), Slices("abcdefghij", 10)]
    conf = {name: SOUP[name] for name in ("objectives", "levels")}
    soup = ObjectivesIterFactory(factories, read_conf(conf, KINDS), accum_grad=1)
    # Each is alone in its level, so one batch a step: not as many as speech has.
    assert len(list(soup.build_iter(1))) == 4
    alone = read_conf(SPEECH_ALONE, KINDS)
    assert len(list(ObjectivesIterFactory(factories[2:], alone, 1).build_iter(1))) == 10


@pytest.mark.parametrize(("frames", "batches"), [(35, 4), (1000, 6)])
def test_speech_is_measured_on_other_utterances_in_every_epoch(frames, batches):
    conf = read_conf(SPEECH_ALONE, KINDS)
    factory = ObjectivesIterFactory([Slices("abcdef", 2)], conf, accum_grad=1)
    assert len(factory.sample(BEST_RQ, frames)) == batches


def test_objectives_have_orders_of_their_own(data, monkeypatch):
    seeds = []
    monkeypatch.setattr(
        WhisperTask, "build_iter_factory", lambda args, *_: seeds.append(args.seed)
    )
    parser, train = ObjectivesTask.get_parser(), data / "train"
    for seed in ("0", "1"):
        words = [
            *("--seed", seed, "--train_shape_file", str(train / "wav.scp")),
            *("--objectives_conf", f"objectives={PAIR}"),
        ]
        for name in ("lang", "task"):
            words += ["--train_data_path_and_name_and_type"]
            words += [f"{train}/utt2{name},{name},text"]
        ObjectivesTask.build_iter_factory(parser.parse_args(words), None, "train")
    assert len(set(seeds)) == len(seeds) == 4


def checkpoint(exp, epoch):
    return torch.load(exp / f"{epoch}epoch.pth", weights_only=True)


def test_a_soup_trains_resumes_exactly_and_exports(micro_whisper, data, tmp_path):
    def train(exp: Path, epochs: int) -> None:
        objectives_train(
            words(micro_whisper, data, exp, SOUP, "--max_epoch", str(epochs))
        )

    train(tmp_path / "whole", 2)
    cut = tmp_path / "cut"
    train(cut, 1)
    first = checkpoint(cut, 1)
    # Killed while the second epoch ran.
    shutil.copy(cut / "checkpoint.pth", cut / "checkpoint.last.pth")
    (cut / "checkpoint.pth").write_bytes((cut / "checkpoint.pth").read_bytes()[:9999])
    train(cut, 2)
    expected, found = checkpoint(tmp_path / "whole", 2), checkpoint(cut, 2)
    assert set(expected) == set(found)
    for name, value in expected.items():
        torch.testing.assert_close(value, found[name], rtol=0, atol=0, equal_nan=True)
    # To transcribe there are 2 batches of each language, both taken in one step; to
    # translate 4 of all, one a step.
    assert first["objectives.step"] == 4
    assert found["objectives.step"] == 8
    assert found["objectives.weights"][:2].sum() == pytest.approx(1)
    assert found["objectives.weights"][0] != 0.5
    # All but the fixed positions were measured.
    assert found["objectives.cosines"].isnan().sum() == 1
    # In the first epoch eta is 0, and the head is trained all the same.
    head = "objectives.best_rq.head.weight"
    assert not torch.equal(first[head], found[head])
    table = (cut / "conflict.tsv").read_text()
    assert table == (tmp_path / "whole" / "conflict.tsv").read_text()
    assert (cut / "images" / "conflict.png").stat().st_size > 5000

    export(cut / "valid.loss.ave.pth", tmp_path / "model")
    before = load_file(micro_whisper / "model.safetensors")
    after = load_file(tmp_path / "model" / "model.safetensors")
    assert set(before) == set(after)
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert same == {"model.encoder.embed_positions.weight"}


def test_who_reads_the_batches_changes_no_step(micro_whisper, data, tmp_path):
    for readers in ("0", "1"):
        more = ("--max_epoch", "1", "--num_workers", readers)
        objectives_train(words(micro_whisper, data, tmp_path / readers, SOUP, *more))
    here, apart = checkpoint(tmp_path / "0", 1), checkpoint(tmp_path / "1", 1)
    for name, value in here.items():
        torch.testing.assert_close(value, apart[name], rtol=0, atol=0, equal_nan=True)


def test_a_head_of_another_loss(micro_whisper, data, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    heads = {"u": {"loss": "cpc"}, "v": {"loss": "best_rq", "task": "translate"}}
    conf = {"objectives": PAIR | heads, "cpc": {"steps": 5}, "solver": "static"}
    conf["best_rq"] = SOUP["best_rq"]
    exp = tmp_path / "exp"
    objectives_train(words(micro_whisper, data, exp, conf, "--max_epoch", "1"))
    [said] = [m for m in caplog.messages if m.startswith("labels of best_rq: ")]
    assert re.search(r"perplexity \d+ of 16 codes, the commonest [\d.]+%, over", said)
    results = "".join(m for m in caplog.messages if "results: [train]" in m)
    assert "acc_u=" in results
    assert "perplexity_v=" in results
    saved = checkpoint(exp, 1)
    assert {n for n in saved if n.startswith("objectives.cpc")} == {
        "objectives.cpc.head.weight"
    }
    assert saved["objectives.best_rq.deviation"].min() > 0
    export(exp / "valid.loss.ave.pth", tmp_path / "model")


def test_too_few_labels_stop_before_the_first_step(
    micro_whisper, data, tmp_path, capsys
):
    conf = SOUP | {"best_rq": {"codebook_size": 16, "code_dim": 4, "floor": 1}}
    with pytest.raises(SystemExit) as exit_:
        objectives_train(words(micro_whisper, data, tmp_path / "exp", conf))
    assert exit_.value.code == 2
    assert "labels of a perplexity from 16 on" in capsys.readouterr().err
    assert not (tmp_path / "exp" / "1epoch.pth").exists()


def test_lora(micro_whisper, data, tmp_path):
    lora = ("--lora", "true", "--lora_conf", "r=4", "--max_trainable_share", "0.3")
    exp = tmp_path / "exp"
    conf = {"objectives": PAIR, "layers": {"select": False}, "solver": "UPGrad"}
    objectives_train(words(micro_whisper, data, exp, conf, "--max_epoch", "1", *lora))
    saved = checkpoint(exp, 1)
    assert all("lora_" in n or n.startswith("objectives.") for n in saved)
    assert saved["objectives.step"] == 4
    export(exp / "valid.loss.ave.pth", tmp_path / "model")
    assert (tmp_path / "model" / "adapter_model.safetensors").is_file()


SGD = ("--max_epoch", "1", "--optim", "sgd", "--optim_conf", "lr=0.01")


def test_two_processes_give_the_update_of_one(micro_whisper, data, tmp_path):
    conf = SOUP | {"objectives": PAIR, "shared": r"model\.(en|de)coder\."}
    del conf["levels"]
    objectives_train(words(micro_whisper, data, tmp_path / "one", conf, *SGD))
    two = words(micro_whisper, data, tmp_path / "two", conf, *SGD)
    train_in_two(objectives_train, two, tmp_path / "store")
    one, both = checkpoint(tmp_path / "one", 1), checkpoint(tmp_path / "two", 1)
    for name, value in one.items():
        torch.testing.assert_close(
            value, both[name], rtol=1e-4, atol=1e-6, equal_nan=True
        )
    assert one["objectives.weights"][0] != 0.5


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({"objectives": PAIR | {"x": {"language": "fr"}}}, "x must have utterances"),
        ({"objectives": {"asr": {}}}, "at least two objectives; got 1"),
        ({"objectives": PAIR, "solver": "MGD"}, "solver must be one of"),
        ({"objectives": PAIR, "shared": "nothing"}, "shared must match trained"),
        (SOUP | {"best_rq": {"codes": 5}}, "best_rq"),
        ({}, "at least two objectives; got 0"),
    ],
)
def test_bad_configuration(micro_whisper, data, tmp_path, capsys, conf, message):
    with pytest.raises(SystemExit) as exit_:
        objectives_train(words(micro_whisper, data, tmp_path / "exp", conf))
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
