from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from espnet_merge.data.kaldi import KaldiUtterance, read_kaldi
from espnet_merge.data.sets import check_known, playable, usable, write_sets
from espnet_merge.errors import InputError
from tests.recipes.corpora import clip


def utterance(folder, name, suffix="flac", rate=16_000, text="uno"):
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.{'wav' if suffix == 'float' else suffix}"
    file.write_bytes(clip(suffix, rate=rate))
    return KaldiUtterance(f"es-{name}", str(file), text, "es", "es")


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
    source = Path(utterance(tmp_path / "in", "a", suffix, rate).audio)
    result = playable(source, tmp_path / "out")
    if kept:
        assert result == str(source)
        assert not (tmp_path / "out").exists()
    else:
        assert Path(result).parent == tmp_path / "out"
        samples, found = soundfile.read(result)
        assert found == 16_000
        # MP3 comes in whole frames.
        assert len(samples) == pytest.approx(4800, abs=4800 * 0.3)


def test_converted_audio_is_not_converted_again(tmp_path):
    source = Path(utterance(tmp_path, "a", "opus").audio)
    target = Path(playable(source, tmp_path / "out"))
    before = target.stat()
    assert playable(source, tmp_path / "out") == str(target)
    assert target.stat() == before
    source.write_bytes(clip("opus", seconds=0.6))
    again = playable(source, tmp_path / "out")
    assert again != str(target)
    assert soundfile.info(again).frames == 2 * soundfile.info(target).frames


def test_clips_of_one_name_in_two_folders_stay_two(tmp_path):
    """ana/7.mp3 and bob/7.mp3, train/7.mp3 and test/7.mp3: by speaker or by split."""
    chosen = {}
    for number, split in enumerate(("train", "valid", "test"), start=1):
        (tmp_path / split).mkdir()
        file = tmp_path / split / "7.mp3"
        file.write_bytes(clip("mp3", seconds=number))
        chosen[split] = [KaldiUtterance(f"es-{split}-7", str(file), "uno", "es", "es")]
    # The same clip, of another utterance: converted once, by two threads or one.
    chosen["train"].append(replace(chosen["train"][0], name="es-train-8"))
    write_sets("es", chosen, tmp_path / "data", tmp_path / "out", jobs=2)
    assert len(list((tmp_path / "out").iterdir())) == 3
    for number, split in enumerate(("train", "valid", "test"), start=1):
        wavs = read_kaldi(tmp_path / "data" / f"es_{split}")["wav.scp"]
        for audio in wavs.values():
            assert soundfile.info(audio).duration == pytest.approx(number, abs=0.1)


@pytest.mark.parametrize("other", ["train", "test"])
def test_two_utterances_of_one_name_are_refused(tmp_path, other):
    chosen = splits(tmp_path / "in")
    chosen[other].append(replace(utterance(tmp_path / "bob", "b"), name="es-a"))
    with pytest.raises(InputError, match=r"es: .* es-a is .*/in/a.flac and .*/bob/b.f"):
        write_sets("es", chosen, tmp_path / "data", tmp_path / "out")
    assert not (tmp_path / "data").exists()


def test_of_a_test_set_what_is_broken_or_has_no_words_stays(tmp_path, capsys):
    chosen = splits(tmp_path / "in")
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        for name, text in (("x", "uno"), ("y", "¡!"), ("z", "")):
            own = utterance(tmp_path / split, f"{split}-{name}", text=text)
            chosen[split].append(own)
        Path(chosen[split][-3].audio).write_bytes(b"fLaC and no more")
    write_sets("es", chosen, tmp_path / "data", tmp_path / "out")
    tables = read_kaldi(tmp_path / "data" / "es_test")
    assert tables["text"] == {"es-d": "uno", "es-test-x": "uno", "es-test-y": "¡!"}
    assert capsys.readouterr().err == (
        "data: es: train 2, valid 1, test 3 utterances; dropped: 1 broken audio in "
        "train, 1 no text in test, 2 no text in train\n"
    )


def test_texts_are_cleaned_or_dropped(tmp_path):
    texts = ["e\u0301  l\u00a0", "", "¡!", "b"]
    listed = [utterance(tmp_path, str(n), text=text) for n, text in enumerate(texts)]
    dropped = Counter()
    kept = [u.text for u in usable([*listed, listed[0]], dropped, split="train")]
    assert kept == ["é l", "b"]
    assert dropped == {"no text in train": 2, "listed twice in train": 1}


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
        "data: es: train 2, valid 1, test 1 utterances; dropped: 1 broken audio in "
        "train\n"
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
    with pytest.raises(InputError, match=r"es_valid: .* none is left \(1 no text in "):
        write_sets("es", chosen, tmp_path / "data", tmp_path / "out")
    chosen["valid"] = []
    with pytest.raises(InputError, match="the corpus lists none"):
        write_sets("es", chosen, tmp_path / "data", tmp_path / "out")
    assert not (tmp_path / "data").exists()


def test_known_values_pass():
    check_known("langs", ["es", "it"], {"es": 1, "it": 2})
    with pytest.raises(InputError, match=r"--langs must be of es it; got 'xx'\."):
        check_known("langs", ["es", "xx"], ["es", "it"])
