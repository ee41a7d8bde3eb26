"""Train a micro Whisper through ESPnet's own trainer and look at what changed."""

import hashlib
import json
import logging
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml
from huggingface_hub import ModelCard
from safetensors.torch import load_file

from espnet_merge.__main__ import main
from espnet_merge.bin.whisper_train import main as whisper_train
from espnet_merge.checkpoint.labels import label_formats
from espnet_merge.checkpoint.padding import Padding, padding_of
from espnet_merge.disk.digest import sha256
from espnet_merge.errors import InputError
from espnet_merge.tasks.export import export
from espnet_merge.tasks.trainer import mend_checkpoint
from tests.speech import write_data

DATA = {"speech": "wav.scp", "text": "text", "lang": "utt2lang", "task": "utt2task"}
KINDS = {"speech": "sound", "text": "text", "lang": "text", "task": "text"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_data(root / "train", languages=("es", "ru"), count=12)
    write_data(root / "valid", languages=("es", "ru"), count=4, seed=1)
    return root


def arguments(whisper: Path, data: Path, output: Path, *more: str) -> list[str]:
    words = ["--whisper", str(whisper), "--output_dir", str(output)]
    for part in ("train", "valid"):
        for name, file in DATA.items():
            words += [f"--{part}_data_path_and_name_and_type"]
            words += [f"{data / part / file},{name},{KINDS[name]}"]
        words += [f"--{part}_shape_file", str(data / part / "text")]
    words += ["--batch_type", "unsorted", "--batch_size", "4", "--num_workers", "0"]
    words += ["--use_tensorboard", "false", "--num_att_plot", "0", "--pad_to", "0"]
    words += ["--use_matplotlib", "false", "--optim", "adamw", "--resume", "true"]
    words += ["--optim_conf", "lr=1.0e-3", "--keep_nbest_models", "1", "--seed", "0"]
    words += ["--best_model_criterion", "valid,loss,min"]
    return [*words, *more]


def espnet_merge(words) -> None:
    main(list(map(str, words)))


LORA = ("--lora", "true", "--lora_conf", "r=4", "--max_trainable_share", "0.3")


def weights(directory: Path) -> dict[str, torch.Tensor]:
    return load_file(directory / "model.safetensors")


def test_full_fine_tuning_learns_and_exports(micro_whisper, data, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    exp = tmp_path / "exp"
    whisper_train(arguments(micro_whisper, data, exp, "--max_epoch", "3"))
    labels = [m for m in caplog.messages if m.startswith("label of ")]
    assert len(labels) == 4
    for label in labels:
        language = label.removeprefix("label of ")[:2]
        assert f"<|{language}|><|transcribe|><|notimestamps|> palabra" in label
    losses = losses_of_epochs(caplog)
    assert losses[-1] < losses[0] - 0.1
    export(exp / "valid.loss.ave.pth", tmp_path / "model")
    assert padding_of(tmp_path / "model") == Padding(0, 0)
    before, after = weights(micro_whisper), weights(tmp_path / "model")
    assert set(before) == set(after)
    same = {name for name in before if torch.equal(before[name], after[name])}
    # The sinusoids are fixed, and nothing else is.
    assert same == {"model.encoder.embed_positions.weight"}
    for name in ("tokenizer.json", "generation_config.json"):
        written = (tmp_path / "model" / name).read_bytes()
        assert written == (micro_whisper / name).read_bytes()
    card = ModelCard.load(tmp_path / "model" / "README.md")
    assert card.data.tags == ["whisper", "espnet_merge"]
    assert sha256(micro_whisper / "model.safetensors") in card.text


def losses_of_epochs(caplog) -> list[float]:
    lines = [m for m in caplog.messages if "epoch results: [train]" in m]
    return [float(line.split("loss=")[1].split(",")[0]) for line in lines]


def test_a_training_can_be_watched_in_tensorboard(micro_whisper, data, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    watched = ("--max_epoch", "2", "--use_tensorboard", "true", "--log_interval", "1")
    whisper_train(arguments(micro_whisper, data, tmp_path, *watched))
    found = {}
    for part in ("train", "valid"):
        events = EventAccumulator(str(tmp_path / "tensorboard" / part))
        events.Reload()
        for name in events.Tags()["scalars"]:
            found[part, name] = [event.value for event in events.Scalars(name)]
    losses = found["train", "loss"]
    assert len(losses) == 3 * 2 + 2  # of batches, and means of epochs
    assert losses[-1] < losses[0]
    assert len(found["valid", "loss"]) == 2
    assert ("train", "acc") in found


@pytest.mark.gpu
@pytest.mark.parametrize("kind", [(), LORA], ids=["full", "lora"])
def test_a_gpu_learns_in_bfloat16_what_the_cpu_learns(
    micro_whisper, data, tmp_path, caplog, kind
):
    caplog.set_level(logging.INFO)
    losses = {}
    for gpus, half in (("0", "false"), ("1", "true")):
        more = ("--max_epoch", "2", *kind, "--ngpu", gpus, "--use_amp", half)
        whisper_train(arguments(micro_whisper, data, tmp_path / gpus, *more))
        losses[gpus] = losses_of_epochs(caplog)
        caplog.clear()
    assert losses["1"][-1] < losses["1"][0]
    np.testing.assert_allclose(losses["1"], losses["0"], rtol=0.02)


@pytest.mark.parametrize(
    "conf",
    [("r=4",), ("r=2", "use_rslora=true"), ("r=3", "use_dora=true")],
    ids=" ".join,
)
def test_lora_leaves_the_base_and_changes_the_scores(
    micro_whisper, data, tmp_path, caplog, conf
):
    from peft import PeftModel
    from transformers import WhisperForConditionalGeneration

    from espnet_merge.lora.adapter import load_adapter
    from espnet_merge.whisper.model import load_whisper

    caplog.set_level(logging.INFO)
    exp = tmp_path / "exp"
    words = ["--lora", "true", "--max_trainable_share", "0.3"]
    for setting in conf:
        words += ["--lora_conf", setting]
    words += ["--gradient_checkpointing", "true"]
    whisper_train(arguments(micro_whisper, data, exp, "--max_epoch", "1", *words))
    [share] = [m for m in caplog.messages if m.startswith("trainable: ")]
    saved = torch.load(exp / "1epoch.pth", weights_only=True)
    assert all("lora_" in name for name in saved)
    assert f"trainable: {sum(p.numel() for p in saved.values()):,} of " in share
    export(exp / "valid.loss.ave.pth", tmp_path / "model")
    ours = load_adapter(load_whisper(micro_whisper), tmp_path / "model")
    base = WhisperForConditionalGeneration.from_pretrained(micro_whisper)
    theirs = PeftModel.from_pretrained(base, tmp_path / "model").eval()
    inputs = {
        "input_features": torch.randn(1, 80, 3000),
        "decoder_input_ids": torch.tensor([[257, 261, 359, 363]]),
    }
    with torch.no_grad():
        expected = theirs(**inputs).logits
        assert torch.equal(ours(**inputs).logits, expected)
        with theirs.disable_adapter():
            assert not torch.equal(theirs(**inputs).logits, expected)


def test_a_base_that_changes_in_training_is_found(
    micro_whisper, data, tmp_path, capsys, monkeypatch
):
    from espnet_merge.tasks.trainer import WhisperTrainer

    whole = WhisperTrainer.train_one_epoch.__func__

    def train_one_epoch(cls, model, *args, **kwargs):
        with torch.no_grad():
            model.whisper.model.encoder.conv1.bias[0] += 1e-3
        return whole(cls, model, *args, **kwargs)

    monkeypatch.setattr(WhisperTrainer, "train_one_epoch", classmethod(train_one_epoch))
    with pytest.raises(SystemExit):
        whisper_train(
            arguments(micro_whisper, data, tmp_path, "--max_epoch", "1", *LORA)
        )
    assert "frozen base must not change" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("kind", [(), LORA], ids=["full", "lora"])
def test_killed_and_resumed_equals_undisturbed(micro_whisper, data, tmp_path, kind):
    def train(exp: Path, epochs: int) -> None:
        whisper_train(
            arguments(micro_whisper, data, exp, "--max_epoch", str(epochs),
                      "--specaug", "specaug",
                      "--specaug_conf", "apply_time_warp=false"
                      , "--specaug_conf", "time_mask_width_range=10", *kind)
        )  # fmt: skip

    def losses(exp: Path) -> list[float]:
        checkpoint = torch.load(exp / "checkpoint.pth", weights_only=True)
        epochs = checkpoint["reporter"]["stats"]
        return [
            epochs[e][part]["loss"]
            for e in sorted(epochs)
            for part in ("train", "valid")
        ]

    train(tmp_path / "whole", 2)
    cut = tmp_path / "cut"
    train(cut, 1)
    # Killed while the second epoch ran: the whole checkpoint was set aside, and the
    # new one is half-written.
    shutil.copy(cut / "checkpoint.pth", cut / "checkpoint.last.pth")
    half = (cut / "checkpoint.pth").read_bytes()[:50_000]
    (cut / "checkpoint.pth").write_bytes(half)
    (cut / "1epoch.pth").unlink()
    train(cut, 2)
    expected = torch.load(tmp_path / "whole" / "2epoch.pth", weights_only=True)
    found = torch.load(cut / "2epoch.pth", weights_only=True)
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert len(losses(cut)) == 4
    assert losses(cut) == losses(tmp_path / "whole")
    assert not (cut / "checkpoint.last.pth").exists()


@pytest.fixture(scope="module")
def expert(micro_whisper, data, tmp_path_factory) -> Path:
    """An adapter that was trained and exported."""
    exp = tmp_path_factory.mktemp("expert")
    whisper_train(arguments(micro_whisper, data, exp, "--max_epoch", "1", *LORA))
    export(exp / "valid.loss.ave.pth", exp / "model")
    return exp / "model"


@pytest.fixture(scope="module")
def similarity(micro_whisper, expert) -> Path:
    from espnet_merge.lora.adapter import base_digest
    from espnet_merge.whisper.model import load_whisper

    rows = {"cs": {"es": 0.3, "ru": 0.7}}
    digest = base_digest(load_whisper(micro_whisper))
    path = expert.parent / "similarity.json"
    path.write_text(json.dumps({"base_sha256": digest, "similarity": rows}))
    return path


@pytest.fixture(scope="module")
def new_language(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("new")
    write_data(root / "train", languages=("cs",), count=4)
    write_data(root / "valid", languages=("cs",), count=4, seed=1)
    return root


def auto(expert: Path, similarity: Path) -> list[str]:
    return [
        "--init_adapter", "auto", "--init_similarity", str(similarity),
        "--init_adapters", "es=nowhere", "--init_adapters", f"ru={expert}",
    ]  # fmt: skip


def test_warm_start_from_the_most_similar(
    micro_whisper, new_language, expert, similarity, tmp_path, caplog
):
    caplog.set_level(logging.INFO)
    exp = tmp_path / "exp"
    # Nothing is learnt, so that what is exported is where training began.
    still = ("--max_epoch", "1", "--optim_conf", "lr=0", *LORA)
    words = [*still, *auto(expert, similarity)]
    whisper_train(arguments(micro_whisper, new_language, exp, *words))
    assert (
        "similarity of trained languages to cs: ru 70.0%, es 30.0%"
    ) in caplog.messages
    export(exp / "valid.loss.ave.pth", exp / "model")
    before = load_file(expert / "adapter_model.safetensors")
    after = load_file(exp / "model" / "adapter_model.safetensors")
    assert set(before) == set(after)
    assert all(torch.equal(before[name], after[name]) for name in before)
    weights = (expert / "adapter_model.safetensors").read_bytes()
    origin = {
        "init_adapter": str(expert),
        "init_adapter_sha256": hashlib.sha256(weights).hexdigest(),
    }
    for file in (exp / "config.yaml", exp / "model" / "export.yaml"):
        assert origin.items() <= yaml.safe_load(file.read_text()).items()


def test_warm_start_from_the_least_similar(
    micro_whisper, new_language, expert, similarity, tmp_path
):
    words = ["--init_adapter", "least", "--init_similarity", str(similarity)]
    words += ["--init_adapters", f"es={expert}", "--init_adapters", "ru=nowhere"]
    words += ["--max_epoch", "1", *LORA]
    whisper_train(arguments(micro_whisper, new_language, tmp_path / "exp", *words))
    written = yaml.safe_load((tmp_path / "exp" / "config.yaml").read_text())
    assert written["init_adapter"] == str(expert)


def test_warm_start_by_name_and_digest(
    micro_whisper, new_language, expert, tmp_path, capsys
):
    named = ("--init_adapter", "ru", "--init_adapters", f"ru={expert}")
    expected = ("--init_adapter_sha256", "0" * 64)
    with pytest.raises(SystemExit):
        whisper_train(
            arguments(micro_whisper, new_language, tmp_path, *LORA, *named, *expected)
        )
    error = capsys.readouterr().err.splitlines()[-1]
    assert f"{expert}: the warm start's weights must have SHA-256 000000000000" in error


def test_auto_needs_one_language(
    micro_whisper, data, expert, similarity, tmp_path, capsys
):
    words = (*LORA, *auto(expert, similarity))
    with pytest.raises(SystemExit):
        whisper_train(arguments(micro_whisper, data, tmp_path, *words))
    error = capsys.readouterr().err.splitlines()[-1]
    assert "training data of one language; it is of es, ru" in error


def as_of_an_older_version(exp: Path) -> None:
    """Take the format of the labels out of ``config.yaml``."""
    config = yaml.safe_load((exp / "config.yaml").read_text())
    assert config.pop("label_format") == "leading_space"
    (exp / "config.yaml").write_text(yaml.safe_dump(config))


def test_a_training_does_not_end_on_other_labels(micro_whisper, data, tmp_path, capsys):
    words = arguments(micro_whisper, data, tmp_path / "exp", *LORA)
    whisper_train([*words, "--max_epoch", "1"])
    as_of_an_older_version(tmp_path / "exp")
    before = (tmp_path / "exp" / "config.yaml").read_bytes()
    with pytest.raises(SystemExit) as stop:
        whisper_train([*words, "--max_epoch", "2"])
    assert stop.value.code == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "began with label_format no_space, now it is leading_space" in error
    assert (tmp_path / "exp" / "config.yaml").read_bytes() == before


def double(model):
    """Multiply all weights by two, in their place."""
    (file,) = model.glob("*.safetensors")
    header = 8 + int.from_bytes(file.read_bytes()[:8], "little")
    np.memmap(file, "<f4", "r+", header)[:] *= 2


@pytest.mark.parametrize("kind", [("--max_epoch", "1"), LORA], ids=["full", "lora"])
def test_the_labels_of_a_model_are_told(
    micro_whisper, data, tmp_path, capsys, caplog, kind
):
    exp = tmp_path / "exp"
    whisper_train(arguments(micro_whisper, data, exp, *kind, "--max_epoch", "1"))
    export(exp / "1epoch.pth", tmp_path / "new")
    as_of_an_older_version(exp)
    export(exp / "1epoch.pth", tmp_path / "old")
    double(tmp_path / "old")  # two experts of the same weights are refused
    assert label_formats(exp / "1epoch.pth") == {"no_space"}
    expected = {"new": {"leading_space"}, "old": {"no_space"}}
    for name, formats in expected.items():
        assert label_formats(tmp_path / name) == formats
        if kind is LORA:  # an adapter tells it by itself
            (tmp_path / name / "export.yaml").unlink()
            assert label_formats(tmp_path / name) == formats
    new, old = tmp_path / "new", tmp_path / "old"
    inputs = ["--base", micro_whisper, "--experts", old, new]
    espnet_merge(["merge", "--method", "soup", *inputs, "--output", tmp_path / "soup"])
    first, second = capsys.readouterr().err.splitlines()[-2:]
    assert first == (
        f"espnet-merge merge: warning: {old}: trained by an older version, on labels "
        "without the space that Whisper writes before the first word; train anew."
    )
    assert f"experts of older labels ({old}) are merged with" in second
    assert f"experts of today's ({new})" in second
    assert label_formats(tmp_path / "soup") == {"leading_space", "no_space"}
    if kind is LORA:
        caplog.clear()
        warm = ("--init_adapter", str(old), *LORA, "--max_epoch", "1")
        whisper_train(arguments(micro_whisper, data, tmp_path / "warm", *warm))
        assert f"{old}: trained by an older version" in caplog.text


def test_nothing_whole_starts_anew(tmp_path):
    (tmp_path / "checkpoint.pth").write_bytes(b"PK half")
    mend_checkpoint(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--lora_conf", "r=4"), "lora is false"),
        (("--lora", "true", "--lora_conf", "rank=4"), "must fit peft.LoraConfig"),
        ((*LORA, "--max_trainable_share", "0.01"), "must leave the base frozen"),
        (("--init_adapter", "auto"), "init_adapter is given but lora is false"),
        ((*LORA, "--init_adapter", "auto"), "auto, least) needs init_adapters"),
        (
            (*LORA, "--init_adapter", "nowhere"),
            "nowhere: a PEFT adapter needs adapter_config.json",
        ),
        (
            (*LORA, "--init_adapter", "x", "--init_adapters", "xx=./exp/model"),
            "language must be one of",
        ),
        (("--pad_to", "31"), "pad_to must be"),
        (
            ("--model_conf", "label_smoothing=2"),
            "label_smoothing must be a number in [0, 1)",
        ),
    ],
)
def test_bad_configuration(micro_whisper, data, tmp_path, capsys, more, message):
    with pytest.raises(SystemExit) as exit_:
        whisper_train(arguments(micro_whisper, data, tmp_path / "exp", *more))
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_unknown_language_names_the_utterance(micro_whisper, data, tmp_path, capsys):
    bad = shutil.copytree(data, tmp_path / "data")
    table = bad / "train" / "utt2lang"
    table.write_text(table.read_text().replace("es-000 es", "es-000 xx"))
    with pytest.raises(SystemExit) as exit_:
        whisper_train(arguments(micro_whisper, bad, tmp_path / "exp"))
    assert exit_.value.code == 2
    assert "utterance es-000: language must be" in capsys.readouterr().err


@pytest.mark.parametrize("workers", ["0", "1"])
@pytest.mark.parametrize(
    ("place", "content", "message"),
    [
        # The first is looked at before ESPnet is.
        ("train/es-000", "8 kHz", "es-000: audio must be one channel at 16000 Hz; /"),
        ("valid/es-000", "raw", "es-000: audio must be one channel at 16000 Hz; /"),
        ("train/ru-003", "none", "utterance ru-003: must have audio; by wav.scp"),
        ("train/ru-003", "broken", "audio must be a readable wav or flac file; "),
        ("train/ru-003", "loud", "utterance ru-003: audio must be sound in [-1, 1]"),
    ],
)
def test_audio_that_cannot_be_trained_on_is_one_line(
    micro_whisper, data, tmp_path, capsys, workers, place, content, message
):
    bad = shutil.copytree(data, tmp_path / "data")
    part, name = place.split("/")
    audio = tmp_path / f"a.{'raw' if content == 'raw' else 'wav'}"
    noise = 0.1 * np.random.default_rng(0).standard_normal(16_000)
    if content == "8 kHz":
        soundfile.write(audio, noise, 8_000)
    elif content == "loud":
        soundfile.write(audio, noise * 32_768, 16_000, subtype="FLOAT")
    else:
        audio.write_bytes(b"RIFF, or so it says")
    table = bad / part / "wav.scp"
    rows = dict(line.split() for line in table.read_text().splitlines())
    rows[name] = "None" if content == "none" else str(audio)
    table.write_text("".join(f"{uid} {value}\n" for uid, value in rows.items()))
    words = arguments(micro_whisper, bad, tmp_path / "exp", "--max_epoch", "1")
    with pytest.raises(SystemExit) as exit_:
        whisper_train([*words, "--num_workers", workers])
    assert exit_.value.code == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("whisper_train: error: ")
    assert message in error


def test_too_long_a_text_names_the_utterance(micro_whisper):
    from espnet_merge.tasks.whisper import WhisperPreprocessor

    preprocess = WhisperPreprocessor(micro_whisper, pad_to=0)
    data = {"speech": np.zeros(16_000), "lang": "es"}
    # The space before the first word is a token, too.
    assert len(preprocess("es-1", {**data, "text": "a" * 442})["text"]) == 448
    with pytest.raises(InputError, match=r"utterance es-1: .* at most 448 tokens"):
        preprocess("es-1", {**data, "text": "a" * 443})


def test_loss_ignores_prompt_and_padding(micro_whisper):
    from espnet_merge.tasks.whisper import WhisperModel
    from espnet_merge.whisper.model import load_whisper
    from espnet_merge.whisper.prompt import load_tokenizer

    model = WhisperModel(load_whisper(micro_whisper), load_tokenizer(micro_whisper))
    speech, lengths = torch.randn(1, 200, 80), torch.tensor([200])
    text = torch.tensor([[257, 261, 359, 363, 80, 81, 256]])
    batch = {"speech": speech, "speech_lengths": lengths, "text": text,
             "learnt": torch.tensor([[0, 0, 0, 0, 1, 1, 1]])}  # fmt: skip
    loss, _stats, weight = model.eval()(**batch)
    scores = model.token_scores(**batch).log_softmax(-1)[0]
    by_hand = -sum(scores[i, t].item() for i, t in [(3, 80), (4, 81), (5, 256)]) / 3
    assert math.isclose(loss.item(), by_hand, rel_tol=1e-5)
    assert weight == 3 == model.weigh(batch)
    padded = {
        name: torch.nn.functional.pad(batch[name], (0, 3), value=-1)
        for name in ("text", "learnt")
    }
    again = model(**{**batch, **padded})[0]
    torch.testing.assert_close(again, loss)


def test_export_refuses(micro_whisper, tmp_path):
    with pytest.raises(InputError, match=r"config\.yaml"):
        export(tmp_path / "valid.loss.ave.pth", tmp_path / "model")
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match="exists; give another"):
        export(tmp_path / "x.pth", tmp_path / "there")


def test_export_refuses_another_configuration(expert, tmp_path):
    exp = tmp_path / "exp"
    exp.mkdir()
    config = yaml.safe_load((expert.parent / "config.yaml").read_text())
    config["lora_conf"]["target_modules"] = ["q_proj"]
    (exp / "config.yaml").write_text(yaml.safe_dump(config))
    whole = (expert.parent / "1epoch.pth").read_bytes()
    (exp / "1epoch.pth").write_bytes(whole)
    with pytest.raises(InputError, match=r"hold the 12 tensors .* 40 differ"):
        export(exp / "1epoch.pth", tmp_path / "model")
    (exp / "1epoch.pth").write_bytes(whole[:5000])
    with pytest.raises(InputError, match="must be a whole PyTorch file"):
        export(exp / "1epoch.pth", tmp_path / "model")
    assert not (tmp_path / "model").exists()
