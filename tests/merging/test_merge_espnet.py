"""Models of ESPnet's own, merged, are models of ESPnet's own.

Most of the time of this file, about 15 s, is the import of ESPnet's ASR.
"""

from pathlib import Path

import pytest
import torch
import yaml

from espnet_merge.__main__ import main

TOKENS = ["<blank>", "<unk>", *"abcd", "<sos/eos>"]
SMALL = {"output_size": 8, "attention_heads": 2, "linear_units": 16, "num_blocks": 1}
RECORDINGS = Path(__file__).parents[1] / "recordings"


@pytest.fixture(scope="module")
def task():
    from espnet2.tasks.asr import ASRTask

    return ASRTask


def write_experiment(task, directory, seed):
    """Write what ``asr_train`` does after an epoch: weights and configuration."""
    directory.mkdir()
    decoder = {key: value for key, value in SMALL.items() if key != "output_size"}
    config = task.get_default_config() | {
        "token_list": TOKENS,
        "encoder": "conformer",
        "encoder_conf": SMALL,
        "decoder": "transformer",
        "decoder_conf": decoder,
        "normalize": None,
        "specaug": None,
    }
    (directory / "config.yaml").write_text(yaml.safe_dump(config))
    torch.manual_seed(seed)
    model, _ = task.build_model_from_file(directory / "config.yaml", device="cpu")
    for value in model.state_dict().values():
        if not value.is_floating_point():
            value += seed  # the batches that a batch norm has seen
    torch.save(model.state_dict(), directory / "1epoch.pth")
    return directory / "1epoch.pth"


def test_a_merged_conformer_is_loaded_by_espnet(task, tmp_path, monkeypatch):
    # ESPnet reads its defaults by parsing the command line of the process.
    monkeypatch.setattr("sys.argv", ["asr_train"])
    base, *experts = (write_experiment(task, tmp_path / f"e{i}", i) for i in range(3))
    main(
        [
            *("merge", "--method", "soup", "--output", str(tmp_path / "out")),
            *("--base", str(base), "--experts", *map(str, experts)),
        ]
    )
    files = (tmp_path / "out" / "config.yaml", tmp_path / "out" / "model.pth")
    model, _ = task.build_model_from_file(*files, device="cpu")
    first, one, two = (torch.load(path) for path in (base, *experts))
    integers = 0
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, (one[name] + two[name]) / 2)
        else:
            assert torch.equal(value, first[name])
            integers += 1
    assert integers


def write_data(directory, language):
    """Write the data directory of the recordings of one language."""
    directory.mkdir()
    lines = (RECORDINGS / "text").read_text("utf-8").splitlines()
    lines = sorted(line for line in lines if line.startswith(language))
    (directory / "text").write_text("\n".join(lines) + "\n", "utf-8")
    keys = [line.split()[0] for line in lines]
    wavs = "".join(f"{key} {RECORDINGS / key}.flac\n" for key in keys)
    (directory / "wav.scp").write_text(wavs)
    return directory


def write_tokens(path):
    """Write the characters of all sentences, and ESPnet's special tokens."""
    lines = (RECORDINGS / "text").read_text("utf-8").splitlines()
    letters = set("".join(line.partition(" ")[2] for line in lines)) - {" "}
    tokens = ["<blank>", "<unk>", "<space>", *sorted(letters), "<sos/eos>"]
    path.write_text("\n".join(tokens) + "\n", "utf-8")
    return path


def options(**values):
    """Return the words of a command line; a dictionary is an option per key."""
    words = []
    for name, value in values.items():
        pairs = [f"{k}={v}" for k, v in value.items()] if type(value) is dict else None
        words += [
            word for item in pairs or [value] for word in (f"--{name}", str(item))
        ]
    return words


def asr_train(data, tokens, output, epochs, *more):
    """Train as ``python -m espnet2.bin.asr_train`` does; return the last weights."""
    from espnet2.bin.asr_train import main as train

    small = {key: value for key, value in SMALL.items() if key != "output_size"}
    words = options(
        output_dir=output,
        token_type="char",
        token_list=tokens,
        encoder="conformer",
        encoder_conf=SMALL,
        decoder="transformer",
        decoder_conf=small,
        # Rates of errors need a package that ESPnet does not install.
        model_conf={"ctc_weight": 0.3, "report_cer": False, "report_wer": False},
        normalize="utterance_mvn",
        optim="adam",
        optim_conf={"lr": 0.01},
        batch_type="unsorted",
        batch_size=3,
        num_workers=0,
        max_epoch=epochs,
        use_tensorboard=False,
        use_matplotlib=False,
        num_att_plot=0,
    )
    for part in ("train", "valid"):
        files = f"--{part}_data_path_and_name_and_type"
        words += [
            files,
            f"{data}/wav.scp,speech,sound",
            files,
            f"{data}/text,text,text",
        ]
        words += [f"--{part}_shape_file", f"{data}/text"]
    train([*words, *more])
    return output / f"{epochs}epoch.pth"


def asr_inference(config, weights, data, output):
    """Decode as ``python -m espnet2.bin.asr_inference`` does; return text and score."""
    from espnet2.bin.asr_inference import main as decode

    words = options(
        asr_train_config=config,
        asr_model_file=weights,
        data_path_and_name_and_type=f"{data}/wav.scp,speech,sound",
        key_file=f"{data}/wav.scp",
        output_dir=output,
        beam_size=2,
        ctc_weight=0.3,
        minlenratio=0.1,
        maxlenratio=0.3,
    )
    decode(words)
    return [(output / "1best_recog" / x).read_text("utf-8") for x in ("text", "score")]


@pytest.mark.usefixtures("task")
@pytest.mark.filterwarnings("ignore:No valid stats found")
def test_trained_and_decoded_by_espnet(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["asr_train"])
    tokens = write_tokens(tmp_path / "tokens.txt")
    spanish, italian = (write_data(tmp_path / x, x) for x in ("es", "it"))
    base = asr_train(spanish, tokens, tmp_path / "base", 1)
    start = ("--init_param", str(base))
    experts = [
        asr_train(data, tokens, tmp_path / f"expert_{data.name}", 2, *start)
        for data in (spanish, italian)
    ]
    main(
        [
            *("merge", "--method", "soup", "--output", str(tmp_path / "out")),
            *("--base", str(base), "--experts", *map(str, experts)),
            *("--format", "espnet"),
        ]
    )
    merged = tmp_path / "out" / "config.yaml", tmp_path / "out" / "model.pth"
    found = asr_inference(*merged, italian, tmp_path / "decoded")
    first, one, two = (torch.load(path) for path in (base, *experts))
    mean = {
        name: (one[name] + two[name]) / 2 if value.is_floating_point() else value
        for name, value in first.items()
    }
    torch.save(mean, tmp_path / "mean.pth")
    config = base.parent / "config.yaml"
    by_hand = tmp_path / "mean.pth"
    assert found == asr_inference(config, by_hand, italian, tmp_path / "by_hand")
    text, score = found
    assert all(len(line.split()) > 1 for line in text.splitlines())
    for other in (base, *experts):
        output = tmp_path / f"decoded_{other.parent.name}"
        assert score != asr_inference(config, other, italian, output)[1]
