"""Measured on noise: the oracle is transformers, over one utterance at a time."""

import json
import shutil

import pytest
import soundfile
import torch
from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration

from espnet_merge.__main__ import main
from espnet_merge.lora.adapter import add_adapter, base_digest, save_adapter
from espnet_merge.whisper.model import load_whisper
from espnet_merge.whisper.prompt import load_tokenizer
from tests.speech import write_data


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    root = tmp_path_factory.mktemp("sets")
    for index, code in enumerate(("cs", "nl")):
        write_data(root / code, languages=(code,), count=5, seed=index)
    return root


def similarity(model, *words):
    main(["similarity", "--model", str(model), *map(str, words)])


def by_hand(model, audio, candidates):
    """The mean posterior by transformers' features and forward pass."""
    whisper = WhisperForConditionalGeneration.from_pretrained(model).eval()
    extract = WhisperFeatureExtractor.from_pretrained(model)
    ids = load_tokenizer(model).convert_tokens_to_ids([f"<|{c}|>" for c in candidates])
    rows = []
    for path in audio:
        samples = soundfile.read(path, dtype="float32")[0]
        features = extract(samples, sampling_rate=16_000, return_tensors="pt")
        with torch.no_grad():
            scores = whisper(
                features["input_features"],
                decoder_input_ids=torch.tensor([[257]]),
            ).logits[0, 0]
        rows.append(scores[ids].softmax(-1))
    return torch.stack(rows).mean(dim=0).tolist()


def test_rows_are_mean_posteriors(micro_whisper, sets, tmp_path, capsys):
    output = tmp_path / "out"
    candidates = ["es", "it", "ru"]
    similarity(
        micro_whisper, "--data", sets / "cs", sets / "nl", "--languages",
        ",".join(candidates), "--batch-size", 2, "--output", output,
    )  # fmt: skip
    record = json.loads((output / "similarity.json").read_text())
    rows = record["similarity"]
    assert list(rows) == ["cs", "nl"]
    for code in rows:
        expected = by_hand(
            micro_whisper, sorted((sets / code).glob("*.wav")), candidates
        )
        assert list(rows[code]) == candidates
        assert list(rows[code].values()) == pytest.approx(expected, abs=2e-5)
    assert record["base_sha256"] == base_digest(load_whisper(micro_whisper))
    assert record["utterances"] == {"cs": 5, "nl": 5}
    assert (output / "similarity.png").read_bytes().startswith(b"\x89PNG")
    table = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert table[0][:5] == ["language", "utterances", *candidates]
    best = max(rows["nl"], key=rows["nl"].get)
    shown = [f"{100 * rows['nl'][code]:.2f}" for code in candidates]
    assert table[2] == ["nl", "5", *shown, best]


def test_candidates_are_the_languages_of_the_data(micro_whisper, sets, capsys):
    similarity(micro_whisper, "--data", sets / "cs", sets / "nl", "--pad-to", 0)
    header, cs, nl = capsys.readouterr().out.splitlines()
    assert header.split()[2:4] == ["cs", "nl"]
    # Of two, the most similar other is the other.
    assert (cs.split()[-1], nl.split()[-1]) == ("nl", "cs")


def refusal(capsys, model, *words) -> str:
    with pytest.raises(SystemExit) as stop:
        similarity(model, *words)
    assert stop.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("espnet-merge similarity: error: ")
    return line


@pytest.mark.parametrize(
    ("languages", "message"),
    [
        ("", "languages must be a list of codes; got []"),
        ("es,xx", "got 'xx'"),
        ("Spanish,it", "did you mean 'es'?"),
        ("es,it,es", "languages must be distinct"),
        ("es", "needs at least two candidates"),
    ],
)
def test_bad_candidates(micro_whisper, sets, capsys, tmp_path, languages, message):
    output = tmp_path / "out"
    words = ("--data", sets / "cs", "--languages", languages, "--output", output)
    assert message in refusal(capsys, micro_whisper, *words)
    assert not output.exists()


def test_bad_data(micro_whisper, sets, capsys, tmp_path):
    both = write_data(tmp_path / "both", languages=("es", "it"), count=2)
    assert "utt2lang names es, it" in refusal(capsys, micro_whisper, "--data", both)
    twice = ("--data", sets / "cs", sets / "cs")
    assert "cs has two: combine" in refusal(capsys, micro_whisper, *twice)
    empty = shutil.copytree(sets / "cs", tmp_path / "empty")
    (empty / "wav.scp").write_text("")
    assert "the file is empty" in refusal(capsys, micro_whisper, "--data", empty)
    alone = ("--data", sets / "cs")
    assert "got only cs" in refusal(capsys, micro_whisper, *alone)
    table = empty / "utt2lang"
    shutil.copy(sets / "cs" / "wav.scp", empty)
    table.write_text(table.read_text().replace(" cs", " xx"))
    assert "utt2lang: cs-000: language must" in refusal(
        capsys, micro_whisper, "--data", empty
    )


def test_an_adapter_is_no_base(micro_whisper, sets, capsys, tmp_path):
    save_adapter(add_adapter(load_whisper(micro_whisper), {"r": 2}), tmp_path)
    words = ("--data", sets / "cs", "--languages", "es,it")
    assert "this is a LoRA adapter" in refusal(capsys, tmp_path, *words)


def test_an_older_result_is_kept(micro_whisper, sets, capsys, tmp_path):
    words = ("--data", sets / "cs", "--languages", "es,it", "--output", tmp_path)
    assert "exists; give another" in refusal(capsys, micro_whisper, *words)
