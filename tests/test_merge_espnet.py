"""A model of ESPnet's own, merged, is loaded again by ESPnet's own task."""

import warnings

import pytest
import torch
import yaml

from espnet_merge.__main__ import main

TOKENS = ["<blank>", "<unk>", *"abcd", "<sos/eos>"]
SMALL = {"output_size": 8, "attention_heads": 2, "linear_units": 16, "num_blocks": 1}


@pytest.fixture(scope="module")
def task():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
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


@pytest.mark.filterwarnings("ignore")
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
