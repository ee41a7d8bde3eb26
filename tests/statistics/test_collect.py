"""Statistics of a micro Whisper against transformers' own forward pass."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml
from safetensors.numpy import load_file
from transformers import WhisperForConditionalGeneration

from espnet_merge.__main__ import main
from espnet_merge.checkpoint.statistics import FILE, open_statistics
from espnet_merge.lora.adapter import add_adapter, save_adapter
from espnet_merge.statistics.fisher import draw
from espnet_merge.whisper.features import log_mel
from espnet_merge.whisper.model import load_whisper
from espnet_merge.whisper.prompt import encode_target, load_tokenizer
from tests.micro import write_micro_whisper
from tests.speech import write_data

SHORT = ("--pad-to", "0")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("data")
    return write_data(root / "data", languages=("es", "it"), count=5)


def collect(kind, model, data, output, *options):
    argv = ["--kind", kind, "--model", model, "--data", data, "--output", output]
    main(["statistics", *map(str, (*argv, *options))])
    return load_file(output / FILE)


def refusal(capsys, *args) -> str:
    with pytest.raises(SystemExit) as stop:
        collect(*args)
    assert stop.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


def examples(model, data):
    """Yield features of 30 s, token ids and samples of each utterance."""
    tokenizer = load_tokenizer(model)
    for line in (data / "text").read_text().splitlines():
        name, _, text = line.partition(" ")
        audio = soundfile.read(data / f"{name}.wav", dtype="float32")[0]
        mel = torch.from_numpy(log_mel(audio, n_mels=80)).T[None]
        ids = torch.tensor([encode_target(tokenizer, text, name[:2], "transcribe")])
        yield mel, ids, len(audio)


def test_fisher_is_the_mean_of_the_squared_gradients(micro_whisper, data, tmp_path):
    found = collect("fisher", micro_whisper, data, tmp_path / "out")
    model = WhisperForConditionalGeneration.from_pretrained(micro_whisper).eval()
    model.requires_grad_(True)
    squares = {name: 0.0 for name, _ in model.named_parameters()}
    for mel, ids, _ in examples(micro_whisper, data):
        model.zero_grad()
        scores = model(input_features=mel, decoder_input_ids=ids[:, :-1]).logits
        # Start, language, task and 'no timestamps' are given.
        chosen = scores[0, 3:].log_softmax(-1).gather(-1, ids[0, 4:, None])
        chosen.sum().backward()
        for name, weight in model.named_parameters():
            squares[name] += weight.grad.numpy() ** 2 / 5
    assert found.keys() == squares.keys()
    for name, expected in squares.items():
        atol = 1e-4 * expected.max()
        np.testing.assert_allclose(found[name], expected, rtol=1e-3, atol=atol)
    facts = open_statistics(tmp_path / "out", "fisher").facts
    entries = np.concatenate([np.float64(x).ravel() for x in found.values()])
    assert facts["mean"] == pytest.approx(entries.mean())
    assert facts["norm"] == pytest.approx(np.linalg.norm(entries))


def test_gram_of_every_layer_without_padding(micro_whisper, data, tmp_path):
    found = collect("gram", micro_whisper, data, tmp_path / "out")
    inputs = open_statistics(tmp_path / "out", "gram").facts["inputs"]
    model = WhisperForConditionalGeneration.from_pretrained(micro_whisper).eval()
    seen: dict[str, list[torch.Tensor]] = {}
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and name != "proj_out":

            def keep(_, args, name=f"{name}.weight"):
                seen.setdefault(name, []).append(args[0][0].double())

            module.register_forward_pre_hook(keep)
    positions = []
    with torch.no_grad():
        for mel, ids, samples in examples(micro_whisper, data):
            model(input_features=mel, decoder_input_ids=ids[:, :-1])
            positions.append(int(np.ceil(samples / 320)))
    assert inputs.keys() == seen.keys()
    assert set(inputs.values()) == found.keys()
    for name, states in seen.items():
        # Rows of the encoder beyond the utterance are silence that fills the window.
        rows = [
            x[:n] if len(x) == 1500 else x
            for x, n in zip(states, positions, strict=True)
        ]
        x = torch.cat(rows).numpy()
        expected = x.T @ x / len(x)
        atol = 1e-4 * np.abs(expected).max()
        np.testing.assert_allclose(found[inputs[name]], expected, atol=atol)
    # Queries, keys and values of a layer; keys and values of all decoder layers.
    assert (len(seen), len(found)) == (2 * 6 + 2 * 10, 2 * 4 + 2 * 6 + 1)


def test_padding_in_a_batch_does_not_matter(micro_whisper, data, tmp_path):
    options = (*SHORT, "--tail", "0.5", "--batch-size")
    alone = collect("gram", micro_whisper, data, tmp_path / "1", *options, "1")
    together = collect("gram", micro_whisper, data, tmp_path / "5", *options, "5")
    for name, expected in alone.items():
        atol = 1e-5 * np.abs(expected).max()
        np.testing.assert_allclose(together[name], expected, atol=atol)


@pytest.mark.parametrize("kind", ["fisher", "gram"])
def test_a_killed_run_goes_on_and_writes_the_same(
    kind, micro_whisper, data, tmp_path, capsys
):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    options = (*SHORT, *(("--batch-size", "1") if kind == "gram" else ()))
    collect(kind, micro_whisper, data, whole, *options)
    # Sums are kept after each batch; the fourth waits for audio that never comes.
    script = (
        "import functools, itertools, sys, time\n"
        "from espnet_merge.decode import batches as b\n"
        "from espnet_merge.statistics import collect as c\n"
        "c.collect = functools.partial(c.collect, every=0)\n"
        "read, count = b.read_audio, itertools.count(1)\n"
        "b.read_audio = lambda u: time.sleep(600) if next(count) > 3 else read(u)\n"
        "from espnet_merge.__main__ import main; main(sys.argv[1:])"
    )
    argv = ["--kind", kind, "--model", micro_whisper, "--data", data, "--output"]
    process = subprocess.Popen(
        [sys.executable, "-c", script, "statistics", *map(str, argv), killed, *options],
        stderr=subprocess.DEVNULL,
    )
    kept = tmp_path / ".killed.sums.safetensors"
    deadline = time.monotonic() + 300
    while not (kept.exists() and b'\\"batches\\": 3' in kept.read_bytes()):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not killed.exists()
    capsys.readouterr()
    collect(kind, micro_whisper, data, killed, *options)
    assert " 3/5 " in capsys.readouterr().err
    for name in (FILE, "statistics.yaml"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed", "whole"]


def test_what_is_there_is_kept(micro_whisper, data, tmp_path, capsys):
    out = tmp_path / "out"
    collect("gram", micro_whisper, data, out, *SHORT, "--utterances", "2")
    before = (out / FILE).stat()
    collect("gram", micro_whisper, data, out, *SHORT, "--utterances", "2")
    assert (out / FILE).stat() == before
    assert "already collected" in capsys.readouterr().err
    record = yaml.safe_load((out / "statistics.yaml").read_text())
    assert (record["kind"], record["pad_to"], record["utterances"]) == ("gram", 0, 2)
    assert record["versions"].keys() == {"espnet_merge", "torch", "transformers"}
    line = refusal(capsys, "gram", micro_whisper, data, out, *SHORT)
    assert "exists; give another --output or --overwrite" in line
    collect("gram", micro_whisper, data, out, *SHORT, "--overwrite")
    assert (out / FILE).stat() != before


def test_other_audio_gives_other_statistics(micro_whisper, data, tmp_path, capsys):
    out = tmp_path / "out"
    first = collect("gram", micro_whisper, data, out, *SHORT)
    before = yaml.safe_load((out / "statistics.yaml").read_text())
    sound = next(data.glob("**/*.wav"))
    samples, rate = soundfile.read(sound)
    soundfile.write(sound, 0.5 * samples[::-1], rate)
    line = refusal(capsys, "gram", micro_whisper, data, out, *SHORT)
    assert "exists; give another --output or --overwrite" in line
    second = collect("gram", micro_whisper, data, out, *SHORT, "--overwrite")
    assert any(not np.array_equal(first[name], second[name]) for name in first)
    after = yaml.safe_load((out / "statistics.yaml").read_text())
    assert {name for name in after if after[name] != before[name]} == {"audio_sha256"}


def test_tokens_may_be_drawn_from_the_model(micro_whisper, data, tmp_path):
    options = (*SHORT, "--labels", "model")
    one = collect("fisher", micro_whisper, data, tmp_path / "one", *options)
    collect("fisher", micro_whisper, data, tmp_path / "two", *options)
    files = [(tmp_path / x / FILE).read_bytes() for x in ("one", "two")]
    assert files[0] == files[1]
    reference = collect("fisher", micro_whisper, data, tmp_path / "ref", *SHORT)
    assert any(not np.allclose(one[name], reference[name]) for name in one)
    scores = torch.tensor([0.2, 0.5, 0.3]).log().expand(2000, 3)
    shares = torch.bincount(draw(scores, "es-1"), minlength=3) / 2000
    np.testing.assert_allclose(shares, [0.2, 0.5, 0.3], atol=0.04)


def test_bad_input_leaves_nothing(micro_whisper, data, tmp_path, capsys):
    out = tmp_path / "out"
    fisher = ("fisher", micro_whisper, data, out)
    assert "batch_size must be 1 for fisher" in refusal(
        capsys, *fisher, "--batch-size", "2"
    )
    assert "utterances must be" in refusal(capsys, *fisher, "--utterances", "0")
    assert "pad_to must be 0 to 30" in refusal(capsys, *fisher, "--pad-to", "31")
    gram = ("gram", micro_whisper, data, out, "--labels", "model")
    assert "labels are of the fisher" in refusal(capsys, *gram)
    bare = write_data(tmp_path / "bare", count=2)
    lines = (bare / "text").read_text().splitlines()
    (bare / "text").write_text(lines[0] + "\n")
    line = refusal(capsys, "gram", micro_whisper, bare, out)
    assert "es-001 has none: run espnet-merge filter" in line
    (bare / "text").write_text(f"es-000 {'a' * 500}\nes-001 a\n")
    line = refusal(capsys, "gram", micro_whisper, bare, out)
    assert "at most 448 tokens, prompt and end included; es-000 has 506" in line
    (bare / "text").unlink()
    assert "text" in refusal(capsys, "gram", micro_whisper, bare, out)
    assert not out.exists()


def merge(method, base, experts, statistics, output):
    places = ",".join(map(str, statistics))
    argv = ["--method", method, "--base", base, "--experts", *experts]
    argv += ["--output", output, "--set", f"statistics=[{places}]"]
    main(["merge", *map(str, argv)])


def test_experts_and_adapters_are_merged_by_their_statistics(
    micro_whisper, data, tmp_path, capsys
):
    full = write_micro_whisper(tmp_path / "full", seed=1)
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    torch.manual_seed(0)
    model = add_adapter(load_whisper(micro_whisper), {"r": 4}, max_trainable_share=0.5)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    save_adapter(model, adapter)
    for method, kind in (("fisher", "fisher"), ("regmean", "gram")):
        places = [tmp_path / f"{kind}-{x}" for x in ("full", "adapter")]
        collect(kind, full, data, places[0], *SHORT)
        more = (*SHORT, "--adapter", adapter)
        collect(kind, micro_whisper, data, places[1], *more)
        out = tmp_path / method
        merge(method, micro_whisper, (full, adapter), places, out)
        record = yaml.safe_load((out / "merge.yaml").read_text())
        assert [Path(file).parent for file in record["files"]] == places
        assert record["params"]["statistics"] == [str(place) for place in places]
        merged = load_file(out / "model.safetensors")
        assert all(np.isfinite(value).all() for value in merged.values())
        wrong = tmp_path / "wrong"
        with pytest.raises(SystemExit):
            merge(method, micro_whisper, (full, adapter), places[::-1], wrong)
        assert "statistics of another model" in capsys.readouterr().err
        assert not wrong.exists()
