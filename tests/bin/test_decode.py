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
import torch
from safetensors.torch import load_file, save_file

from espnet_merge.__main__ import main
from espnet_merge.decode import batches, transcribe
from espnet_merge.lora.adapter import add_adapter, save_adapter
from espnet_merge.whisper.model import load_whisper
from tests.micro import write_micro_whisper, write_tokenizer

SHORT = ("--pad-to", "0", "--max-new-tokens", "5", "--batch-size", "2")


@pytest.fixture
def data(tmp_path):
    """Five utterances of 0.5 to 1.5 s; the order of ids is not that of lengths."""
    directory = tmp_path / "data"
    directory.mkdir()
    random = np.random.default_rng(0)
    with (
        (directory / "wav.scp").open("w") as wavs,
        (directory / "utt2lang").open("w") as languages,
    ):
        for index, seconds in enumerate([1.0, 0.5, 1.5, 0.7, 1.2]):
            path = directory / f"{index}.wav"
            soundfile.write(
                path, 0.1 * random.standard_normal(int(seconds * 16e3)), 16000
            )
            wavs.write(f"utt-{index} {path}\n")
            languages.write(f"utt-{index} {'es' if index % 2 else 'ru'}\n")
    return directory


def decode(model, data, output, *options):
    argv = ["--model", model, "--data", data, "--output", output, *options]
    main(["decode", *map(str, argv)])


def refusal(capsys, *args) -> str:
    with pytest.raises(SystemExit) as stop:
        decode(*args)
    assert stop.value.code == 2
    [line] = capsys.readouterr().err.splitlines()[-1:]
    assert line.startswith("espnet-merge decode: error: ")
    return line


def lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines(keepends=True)


def contents(output: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in output.iterdir()}


def records(output: Path) -> dict[str, dict]:
    return json.loads((output / "text.json").read_text("utf-8"))["utterances"]


def test_writes_text_and_what_is_known_of_it(micro_whisper, data, tmp_path, capsys):
    output = tmp_path / "deep" / "out"
    decode(micro_whisper, data, output, *SHORT)
    assert sorted(contents(output)) == ["text", "text.json"]
    lines = (output / "text").read_text("utf-8").splitlines()
    assert [line.split()[0] for line in lines] == [f"utt-{i}" for i in range(5)]
    content = json.loads((output / "text.json").read_text("utf-8"))
    assert content["mode"]["pad_to"] == 0
    assert content["mode"]["model"] == str(micro_whisper)
    assert list(content["utterances"]) == [f"utt-{i}" for i in range(5)]
    first = content["utterances"]["utt-0"]
    assert (first["language"], first["task"]) == ("ru", "transcribe")
    assert (first["seconds"], first["tokens"], first["truncated"]) == (1.0, 5, True)
    assert first["score"] == pytest.approx(5 * first["score_per_token"], abs=1e-3)
    assert "5 utterances, 4.9 s of audio" in capsys.readouterr().err


def test_decoded_as_trained_unless_told_otherwise(
    micro_whisper, data, tmp_path, capsys
):
    model = tmp_path / "model"
    shutil.copytree(micro_whisper, model)
    (model / "export.yaml").write_text("{checkpoint: x, pad_to: 0.0, tail: 0.5}\n")
    own = tmp_path / "own"
    decode(model, data, own, "--max-new-tokens", 5)
    assert "note:" not in capsys.readouterr().err
    mode = json.loads((own / "text.json").read_text("utf-8"))["mode"]
    assert (mode["pad_to"], mode["tail"]) == (0.0, 0.5)
    assert mode["trained"] == {"pad_to": 0.0, "tail": 0.5}
    decode(model, data, tmp_path / "other", *SHORT)
    [note] = [x for x in capsys.readouterr().err.splitlines() if "note:" in x]
    assert note == (
        f"espnet-merge decode: note: {model}: trained true length, 0.5 s of silence "
        "after it (by its record), decoded true length: it may loop."
    )
    decode(micro_whisper, data, tmp_path / "base", *SHORT)
    assert "trained padded to 30 s (as Whisper; there is no" in capsys.readouterr().err


def test_long_recordings_are_cut_and_joined(micro_whisper, data, tmp_path):
    """The text of a segment is that of a file that holds just this segment."""
    prompts = sorted((Path(__file__).parents[1] / "recordings").glob("it-*.flac"))
    speech = np.concatenate([soundfile.read(path)[0] for path in prompts])
    long = np.tile(speech, 1 + int(60 * 16_000 / len(speech)))
    soundfile.write(data / "1.wav", long, 16_000)
    output = tmp_path / "out"
    decode(micro_whisper, data, output, *SHORT)
    found = records(output)
    assert list(found) == [f"utt-{i}" for i in range(5)]
    assert [name for name in found if "segments" in found[name]] == ["utt-1"]
    segments = found["utt-1"]["segments"]
    assert len(segments) > 1

    parts = tmp_path / "parts"
    parts.mkdir()
    with (parts / "wav.scp").open("w") as wavs:
        for index, segment in enumerate(segments):
            start, end = (round(segment[side] * 16_000) for side in ("start", "end"))
            path = parts / f"{index:02}.wav"
            soundfile.write(path, long[start:end], 16_000)
            wavs.write(f"{index:02} {path}\n")
    alone = tmp_path / "alone"
    decode(micro_whisper, parts, alone, *SHORT, "--language", "es")
    apart = list(records(alone).values())
    assert [one["text"] for one in apart] == [segment["text"] for segment in segments]
    score = sum(one["score"] for one in apart)
    assert found["utt-1"]["score"] == pytest.approx(score, abs=1e-2)


def test_what_cannot_be_decoded_has_an_empty_text(
    micro_whisper, data, tmp_path, capsys
):
    """The others are what they are without it."""
    decode(micro_whisper, data, tmp_path / "before", *SHORT)
    odd = shutil.copytree(data, tmp_path / "odd")
    soundfile.write(odd / "short.wav", np.zeros(300), 16_000)
    more = {"lost-1": "None", "lost-2": "None", "short": str(odd / "short.wav")}
    for name, audio in more.items():
        for table, value in (("wav.scp", audio), ("utt2lang", "es")):
            with (odd / table).open("a") as file:
                file.write(f"{name} {value}\n")
    (odd / "utt2defect").write_text("lost-1 cut short\nlost-2 cut short\n")
    capsys.readouterr()
    decode(micro_whisper, odd, tmp_path / "out", *SHORT)
    assert (
        "3 of 8 utterances could not be decoded (2 cut short, 1 too short): their "
        "hypotheses are empty."
    ) in capsys.readouterr().err
    found = records(tmp_path / "out")
    reasons = {name: found.pop(name).get("not_decoded") for name in more}
    assert reasons == dict(zip(more, ["cut short"] * 2 + ["too short"], strict=True))
    assert found == records(tmp_path / "before")
    texts = lines(tmp_path / "out" / "text")
    assert texts[5:] == ["lost-1\n", "lost-2\n", "short\n"]


def test_the_language_is_identified(micro_whisper, data, tmp_path, capsys):
    (data / "utt2lang").unlink()
    out = tmp_path / "out"
    auto = (*SHORT, "--language", "auto")
    decode(micro_whisper, data, out, *auto, "--languages", "ru")
    given = tmp_path / "given"
    decode(micro_whisper, data, given, *SHORT, "--language", "ru")
    for one, other in zip(records(out).values(), records(given).values(), strict=True):
        assert (one["language"], one.pop("language_probability")) == ("ru", 1.0)
        assert one == other
    assert json.loads((out / "text.json").read_text("utf-8"))["mode"]["languages"]
    decode(micro_whisper, data, out, *auto, "--languages", "ru")
    assert "already decoded" in capsys.readouterr().err
    every = tmp_path / "every"
    decode(micro_whisper, data, every, *auto)
    assert all(u["language_probability"] < 1 for u in records(every).values())
    line = refusal(capsys, micro_whisper, data, out, *SHORT, "--languages", "es")
    assert "pass --language auto" in line


def test_the_identified_language_is_noted_beside_the_given_one(
    micro_whisper, data, tmp_path, capsys
):
    decode(micro_whisper, data, tmp_path / "given", *SHORT)
    decode(micro_whisper, data, tmp_path / "noted", *SHORT, "--hear")
    decode(micro_whisper, data, tmp_path / "auto", *SHORT, "--language", "auto")
    given, noted, auto = (records(tmp_path / x) for x in ("given", "noted", "auto"))
    for name, record in noted.items():
        heard = record.pop("heard"), record.pop("heard_probability")
        language, probability = (
            auto[name][key] for key in ("language", "language_probability")
        )
        assert heard == (language, pytest.approx(probability, abs=2e-4))
    # Nothing else has changed.
    assert noted == given


def test_timestamps_and_fallback(micro_whisper, data, tmp_path):
    out = tmp_path / "out"
    options = (*SHORT, "--timestamps", "--temperatures", "0.2,0.9")
    decode(micro_whisper, data, out, *options, "--min-log-probability", "0")
    for record in records(out).values():
        assert record["temperature"] == 0.9
        for segment in record["segments"]:
            assert 0 <= segment["start"] <= segment["end"] <= record["seconds"]


def test_ctranslate2_decodes_the_same(micro_whisper, data, tmp_path, capsys):
    ours, theirs, small = (tmp_path / name for name in ("ours", "theirs", "small"))
    one = (*SHORT, "--max-new-tokens", "1")
    decode(micro_whisper, data, ours, *one)
    decode(micro_whisper, data, theirs, *one, "--backend", "ctranslate2")
    assert contents(theirs)["text"] == contents(ours)["text"]
    assert (
        "ctranslate2" in json.loads(contents(theirs)["text.json"])["mode"]["versions"]
    )
    int8 = ("--backend", "ctranslate2", "--dtype", "int8")
    decode(micro_whisper, data, small, *one, *int8)
    assert len(records(small)) == 5
    line = refusal(capsys, micro_whisper, data, ours, *one, *int8)
    assert "backend: torch there, ctranslate2 now" in line


def test_finished_output_is_kept(micro_whisper, data, tmp_path, capsys):
    output = tmp_path / "out"
    decode(micro_whisper, data, output, *SHORT)
    before = (output / "text.json").stat().st_mtime_ns
    decode(micro_whisper, data, output, *SHORT, "--overwrite")
    assert (output / "text.json").stat().st_mtime_ns == before
    assert "already decoded" in capsys.readouterr().err


@pytest.mark.parametrize("other", [(), ("--beam", "2")], ids=["same", "other"])
def test_what_another_process_has_just_decoded_is_kept(
    other, micro_whisper, data, tmp_path, capsys, monkeypatch
):
    output, load = tmp_path / "out", transcribe.load_backend
    before = []

    def decode_first(*args):
        """Another process begins and ends while this one loads its model."""
        monkeypatch.setattr(transcribe, "load_backend", load)
        decode(micro_whisper, data, output, *SHORT, *other)
        before.append(contents(output))
        return load(*args)

    monkeypatch.setattr(transcribe, "load_backend", decode_first)
    if other:
        line = refusal(capsys, micro_whisper, data, output, *SHORT)
        assert "beam: 2 there, 1 now" in line
    else:
        decode(micro_whisper, data, output, *SHORT)
        assert "already decoded" in capsys.readouterr().err
    assert [contents(output)] == before


def binary(directory, source):
    """Write ``source`` as transformers did before safetensors."""
    shutil.copytree(source, directory, dirs_exist_ok=True)
    torch.save(
        load_file(directory / "model.safetensors"), directory / "pytorch_model.bin"
    )
    (directory / "model.safetensors").unlink()
    return directory


def other_weights(model):
    shutil.rmtree(model)
    binary(model, write_micro_whisper(model.with_name("other"), seed=7))


def changed(name, old, new):
    def change(model):
        file = model / name
        file.write_text(file.read_text("utf-8").replace(old, new, 1), "utf-8")

    return change


@pytest.mark.parametrize(
    "change",
    [
        other_weights,
        changed("generation_config.json", "{", '{"suppress_tokens": [1],'),
        changed("merges.txt", "#version: 0.2", "#version: 0.2\nR R"),
        changed("config.json", '"d_model"', '"_": 1, "d_model"'),
    ],
    ids=["weights", "generation", "tokenizer", "config"],
)
def test_a_model_that_has_changed_in_its_place_decodes_anew(
    change, micro_whisper, data, tmp_path, capsys
):
    model, output = binary(tmp_path / "model", micro_whisper), tmp_path / "out"
    decode(model, data, output, *SHORT)
    (model / "trainer_state.json").write_text("{}")
    decode(model, data, output, *SHORT)
    assert "already decoded" in capsys.readouterr().err
    before = records(output)
    change(model)
    elsewhere = model.with_name("elsewhere")
    shutil.copytree(model, elsewhere)
    assert "model_sha256" in refusal(capsys, elsewhere, data, output, *SHORT)
    other_mode = (*SHORT, "--beam", "2")
    assert "model_sha256" in refusal(capsys, model, data, output, *other_mode)
    assert records(output) == before
    decode(model, data, output, *SHORT)
    assert "decoding anew (model_sha256: " in capsys.readouterr().err
    assert change is not other_weights or records(output) != before


def test_other_audio_under_the_same_names_is_compared(
    micro_whisper, data, tmp_path, capsys
):
    output = tmp_path / "out"
    decode(micro_whisper, data, output, *SHORT)
    soundfile.write(data / "3.wav", np.zeros(int(0.7 * 16e3)), 16000)
    line = refusal(capsys, micro_whisper, data, output, *SHORT)
    assert "audio_sha256" in line
    assert "data_sha256" not in line


def test_a_model_that_is_not_what_its_record_says(
    micro_whisper, data, tmp_path, capsys
):
    model = tmp_path / "model"
    shutil.copytree(micro_whisper, model)
    size = (model / "model.safetensors").stat().st_size
    (model / "merge.yaml").write_text(f"bytes: {{model.safetensors: {size + 1}}}\n")
    line = refusal(capsys, model, data, tmp_path / "out", *SHORT)
    assert f"must have {size + 1} bytes, as merge.yaml beside it says" in line


def test_other_settings_need_overwrite(micro_whisper, data, tmp_path, capsys):
    output = tmp_path / "out"
    decode(micro_whisper, data, output, *SHORT)
    before = contents(output)
    wider = (*SHORT, "--beam", "2")
    assert "beam: 1 there, 2 now" in refusal(
        capsys, micro_whisper, data, output, *wider
    )
    other = write_micro_whisper(tmp_path / "other", seed=7)
    assert "model_sha256" in refusal(capsys, other, data, output, *SHORT)
    refusal(capsys, tmp_path / "none", data, output, *SHORT, "--overwrite")
    assert contents(output) == before
    decode(micro_whisper, data, output, *wider, "--overwrite")
    assert json.loads(contents(output)["text.json"])["mode"]["beam"] == 2
    (data / "utt2lang").write_text("".join(f"utt-{i} es\n" for i in range(5)))
    assert "data_sha256" in refusal(capsys, micro_whisper, data, output, *wider)


def test_a_killed_run_goes_on_and_writes_the_same(
    micro_whisper, data, tmp_path, monkeypatch
):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    decode(micro_whisper, data, whole, *SHORT)
    # The run stops at the second batch, where it waits for audio that never comes.
    script = (
        "import sys, time; from espnet_merge.decode import batches as t\n"
        "read = t.read_audio\n"
        "t.read_audio = lambda u: time.sleep(600) if u.name == 'utt-0' else read(u)\n"
        "from espnet_merge.__main__ import main; main(sys.argv[1:])"
    )
    argv = ["decode", "--model", micro_whisper, "--data", data, "--output", killed]
    process = subprocess.Popen(
        [sys.executable, "-c", script, *map(str, argv), *SHORT],
        stderr=subprocess.DEVNULL,
    )
    partial = killed / ".partial"
    deadline = time.monotonic() + 120
    while not (partial.exists() and partial.read_bytes().count(b"\n") == 2):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert list(contents(killed)) == [".partial"]
    read, read_audio = [], batches.read_audio
    monkeypatch.setattr(
        batches, "read_audio", lambda u: read.append(u.name) or read_audio(u)
    )
    decode(micro_whisper, data, killed, *SHORT)
    assert contents(killed) == contents(whole)
    # Those of 1.5 and 1.2 s were decoded before the kill.
    assert sorted(read) == ["utt-0", "utt-1", "utt-3"]


def test_jobs_share_a_decoding(micro_whisper, data, tmp_path, capsys, monkeypatch):
    """Three batches by two jobs, by one of them, and by four."""
    whole, both, one, many = (tmp_path / name for name in ("w", "b", "o", "m"))
    decode(micro_whisper, data, whole, *SHORT)
    for shard in ("2/2", "1/2"):
        decode(micro_whisper, data, both, *SHORT, "--shard", shard)
    decode(micro_whisper, data, one, *SHORT, "--shard", "1/2")
    assert "3 utterances" in capsys.readouterr().err  # of the first and third batch
    assert list(contents(one)) == [".partial-1-of-2"]
    decode(micro_whisper, data, one, *SHORT)
    assert "2 utterances" in capsys.readouterr().err
    assert contents(one) == contents(whole)
    for number in range(1, 5):
        decode(micro_whisper, data, many, *SHORT, "--shard", f"{number}/4")
    with monkeypatch.context() as patch:  # to join them takes no model
        patch.delattr(transcribe, "load_backend")
        decode(micro_whisper, data, both, *SHORT)
        decode(micro_whisper, data, many, *SHORT)
    assert contents(both) == contents(many) == contents(whole)
    decode(micro_whisper, data, both, *SHORT, "--shard", "1/3")
    assert "already decoded" in capsys.readouterr().err
    line = refusal(capsys, micro_whisper, data, one, *SHORT, "--shard", "3/2")
    assert "--shard takes i/n with i from 1 to n, got '3/2'" in line


def test_older_hypotheses_stay_until_the_new_are_whole(micro_whisper, data, tmp_path):
    output = tmp_path / "out"
    decode(micro_whisper, data, output, *SHORT)
    before = contents(output)
    wider = (*SHORT, "--beam", "2", "--overwrite")
    decode(micro_whisper, data, output, *wider, "--shard", "1/2")
    assert contents(output).items() > before.items()
    decode(micro_whisper, data, output, *wider)
    assert contents(output).keys() == before.keys()
    assert json.loads(contents(output)["text.json"])["mode"]["beam"] == 2


def test_an_adapter_is_applied(micro_whisper, data, tmp_path, capsys):
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    torch.manual_seed(0)
    model = add_adapter(load_whisper(micro_whisper), {"r": 4})
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.3)
    save_adapter(model, adapter)
    base, adapted = tmp_path / "base", tmp_path / "adapted"
    decode(micro_whisper, data, base, *SHORT)
    decode(micro_whisper, data, adapted, *SHORT, "--adapter", adapter)
    scores = [
        [
            u["score"]
            for u in json.loads(contents(out)["text.json"])["utterances"].values()
        ]
        for out in (base, adapted)
    ]
    assert all(one != other for one, other in zip(*scores, strict=True))
    folded = tmp_path / "folded"
    ct2 = ("--backend", "ctranslate2")
    decode(micro_whisper, data, folded, *SHORT, *ct2, "--adapter", adapter)
    assert contents(folded)["text"] == contents(adapted)["text"]
    other = write_micro_whisper(tmp_path / "other", seed=7)
    out = tmp_path / "out"
    line = refusal(capsys, other, data, out, *SHORT, "--adapter", adapter)
    assert "must be used on the base it was trained on" in line
    assert "--adapter" in refusal(capsys, adapter, data, out)
    line = refusal(capsys, micro_whisper, data, out, "--adapter", micro_whisper)
    assert "needs adapter_config.json" in line
    assert not out.exists()


def test_several_sets_are_checked_before_the_first_is_decoded(
    micro_whisper, data, tmp_path, capsys
):
    one, two, alone = (tmp_path / name for name in ("one", "two", "alone"))
    half = shutil.copytree(data, tmp_path / "half")
    (half / "wav.scp").write_text("".join(lines(data / "wav.scp")[:2]))
    sets = (data, half, "--output", one, two)
    (half / "utt2lang").unlink()
    line = refusal(capsys, micro_whisper, data, one, *SHORT, "--data", *sets)
    assert "utt2lang" in line
    assert not one.exists()
    shutil.copy(data / "utt2lang", half)
    decode(micro_whisper, data, one, *SHORT, "--data", *sets)
    decode(micro_whisper, half, alone, *SHORT)
    assert lines(two / "text") == lines(alone / "text")
    assert lines(two / "text") != lines(one / "text")
    line = refusal(capsys, micro_whisper, data, one, "--data", data, half)
    assert "one directory for each --data; got 1 for 2" in line
    same = (data, half, "--output", one, tmp_path / "two" / ".." / "one")
    line = refusal(capsys, micro_whisper, data, one, "--data", *same)
    assert "a different directory for each --data; got" in line


def test_bad_input_leaves_nothing(micro_whisper, data, tmp_path, capsys):
    out = tmp_path / "out"
    assert "Whisper directory" in refusal(capsys, tmp_path / "none", data, out)
    assert "has wav.scp" in refusal(capsys, micro_whisper, tmp_path, out)
    assert "one of Whisper's" in refusal(
        capsys, micro_whisper, data, out, "--language", "xx"
    )
    (data / "utt2lang").unlink()
    assert "--language" in refusal(capsys, micro_whisper, data, out)
    assert not out.exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_cuda_without_a_gpu(micro_whisper, data, tmp_path, capsys):
    out = tmp_path / "out"
    line = refusal(capsys, micro_whisper, data, out, "--device", "cuda")
    assert "there is none: use cpu" in line


@pytest.mark.gpu
@pytest.mark.parametrize("beam", ["1", "3"])
def test_a_gpu_decodes_as_the_cpu_does(micro_whisper, data, tmp_path, beam):
    for device in ("cpu", "cuda"):
        options = (*SHORT, "--beam", beam, "--device", device)
        decode(micro_whisper, data, tmp_path / device, *options)
    assert lines(tmp_path / "cuda" / "text") == lines(tmp_path / "cpu" / "text")


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision(micro_whisper, data, tmp_path, dtype, device):
    options = (*SHORT, "--dtype", dtype, "--device", device)
    decode(micro_whisper, data, tmp_path / "out", *options)
    assert len((tmp_path / "out" / "text").read_text("utf-8").splitlines()) == 5


@pytest.fixture
def of_2022(micro_whisper, tmp_path):
    """The same model with a tokenizer that lists no timestamps."""
    model = shutil.copytree(micro_whisper, tmp_path / "of_2022")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (model / name).unlink()
    write_tokenizer(model, old=True)
    return model


@pytest.mark.parametrize(
    "options",
    [(), ("--timestamps",), ("--backend", "ctranslate2"), ("--no-speech", "1")],
)
def test_an_old_tokenizer_decodes_the_same(
    micro_whisper, of_2022, data, tmp_path, options
):
    for model, output in ((micro_whisper, "new"), (of_2022, "old")):
        decode(model, data, tmp_path / output, *SHORT, *options)
    assert records(tmp_path / "new") == records(tmp_path / "old")


@pytest.mark.parametrize(
    ("lost", "options", "message"),
    [
        ("<|ru|>", (), "must have <|ru|>; it has not"),
        ("<|transcribe|>", ("--language", "auto"), "must have <|transcribe|>; it has"),
        ("<|notimestamps|>", (), "must have <|notimestamps|>; it has not"),
        ("<|0.00|>", ("--timestamps",), "timestamps must follow <|notimestamps|>"),
    ],
)
def test_a_tokenizer_that_lacks_a_token_fails_first(
    micro_whisper, data, tmp_path, capsys, monkeypatch, lost, options, message
):
    model = shutil.copytree(micro_whisper, tmp_path / "model")
    for file in ("tokenizer.json", "tokenizer_config.json"):
        changed(file, lost, "<|something else|>")(model)
    monkeypatch.delattr(transcribe, "load_backend")
    out = tmp_path / "out"
    assert message in refusal(capsys, model, data, out, *SHORT, *options)
    assert not out.exists()


@pytest.mark.parametrize("layout", ["compiled", "wrapped"])
def test_weights_as_a_training_left_them(micro_whisper, data, tmp_path, layout):
    model = shutil.copytree(micro_whisper, tmp_path / "model")
    state = load_file(model / "model.safetensors")
    if layout == "compiled":
        state = {f"_orig_mod.{name}": x.clone() for name, x in state.items()}
        save_file(state, model / "model.safetensors", metadata={"format": "pt"})
    else:
        (model / "model.safetensors").unlink()
        torch.save({"model": state, "epoch": 1}, model / "pytorch_model.bin")
    for place, output in ((micro_whisper, "plain"), (model, "left")):
        decode(place, data, tmp_path / output, *SHORT)
    assert records(tmp_path / "plain") == records(tmp_path / "left")
