from collections import Counter
from dataclasses import replace

import pytest
import soundfile

from espnet_merge.data.kaldi import Utterance, read_kaldi
from espnet_merge.data.sets import check_known, playable, usable, write_sets
from espnet_merge.errors import InputError
from tests.recipes.corpora import clip


def utterance(folder, name, suffix="flac", rate=16_000, text="uno"):
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.{'wav' if suffix == 'float' else suffix}"
    file.write_bytes(clip(suffix, rate=rate))
    return Utterance(f"es-{name}", str(file), text, "es", "es")


def splits(folder):
    names = {"train": "ab", "valid": "c", "test": "d"}
    return {s: [utterance(folder, name) for name in own] for s, own in names.items()}


@pytest.mark.parametrize(
    ("suffix", "rate", "kept"),
    [
        ("flac", 16_000, True),
        ("wav", 16_000, True),
        ("float", 16_000, True),
        ("flac", 44_100, False),
        ("wav", 8_000, False),
        ("mp3", 16_000, False),
        ("opus", 16_000, False),
    ],
)
def test_only_what_must_be_is_converted(tmp_path, suffix, rate, kept):
    heard = utterance(tmp_path / "in", "a", suffix, rate)
    result = playable(heard, tmp_path / "out")
    if kept:
        assert result == heard
        assert not (tmp_path / "out").exists()
    else:
        assert result == replace(heard, audio=str(tmp_path / "out" / "a.flac"))
        samples, found = soundfile.read(result.audio)
        assert found == 16_000
        # MP3 comes in whole frames.
        assert len(samples) == pytest.approx(4800, abs=4800 * 0.3)


def test_converted_audio_is_not_converted_again(tmp_path):
    heard = utterance(tmp_path, "a", "opus")
    target = tmp_path / "out" / "a.flac"
    playable(heard, tmp_path / "out")
    before = target.stat()
    playable(heard, tmp_path / "out")
    assert target.stat() == before


def test_texts_are_cleaned_or_dropped(tmp_path):
    texts = ["e\u0301  l\u00a0", "", "¡!", "b"]
    listed = [utterance(tmp_path, str(n), text=text) for n, text in enumerate(texts)]
    dropped = Counter()
    kept = [u.text for u in usable([*listed, listed[0]], dropped)]
    assert kept == ["é l", "b"]
    assert dropped == {"no text": 2, "named twice": 1}


def test_three_splits_are_written_and_counted(tmp_path, capsys):
    chosen = splits(tmp_path / "in")
    broken = utterance(tmp_path / "in", "e")
    (tmp_path / "in" / "e.flac").write_bytes(b"fLaC and no more")
    chosen["train"].append(broken)
    write_sets("es", chosen, tmp_path / "data", tmp_path / "out", jobs=2)
    found = {
        split: [*read_kaldi(tmp_path / "data" / f"es_{split}")["text"]]
        for split in ("train", "valid", "test")
    }
    assert found == {"train": ["es-a", "es-b"], "valid": ["es-c"], "test": ["es-d"]}
    assert capsys.readouterr().err == (
        "data: es: train 2, valid 1, test 1 utterances; dropped: 1 broken audio\n"
    )


def test_missing_clips_are_counted_and_one_is_named(tmp_path):
    chosen = splits(tmp_path / "in")
    (tmp_path / "in" / "d.flac").unlink()
    with pytest.raises(InputError, match=r"1 of 4 are not, as .*/d.flac: unpack"):
        write_sets("es", chosen, tmp_path / "data", tmp_path / "out")
    assert not (tmp_path / "data").exists()


def test_empty_split_is_refused_with_the_reasons(tmp_path):
    chosen = splits(tmp_path / "in")
    chosen["valid"] = [replace(u, text="-") for u in chosen["valid"]]
    with pytest.raises(InputError, match=r"es_valid: .* none is left \(1 no text\)\."):
        write_sets("es", chosen, tmp_path / "data", tmp_path / "out")
    chosen["valid"] = []
    with pytest.raises(InputError, match="the corpus lists none"):
        write_sets("es", chosen, tmp_path / "data", tmp_path / "out")
    assert not (tmp_path / "data").exists()


def test_known_values_pass():
    check_known("langs", ["es", "it"], {"es": 1, "it": 2})
    with pytest.raises(InputError, match=r"--langs must be of es it; got 'xx'\."):
        check_known("langs", ["es", "xx"], ["es", "it"])
