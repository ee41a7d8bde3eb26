"""Recipes of single corpora, on a few clips laid out as in the real ones."""

import re
import shutil

import pytest
import soundfile

from espnet_merge.data.kaldi import read_kaldi
from tests.recipes import corpora
from tests.recipes.test_covost2_data import lose
from tests.recipes.tree import ROOT, Tree

# Recipe -> maker, variable that names the user's directory, and a short run.
RECIPES = {
    "fleurs": (corpora.fleurs, "FLEURS", {"data_opts": "--fleurs_langs da"}, "da"),
    "mls": (corpora.mls, "MLS", {"data_opts": "--mls_langs pl"}, "pl"),
    "librispeech": (
        corpora.librispeech,
        "LIBRISPEECH",
        {"experts": "en_clean en_other", "test_sets": "en_clean_test en_other_test"},
        "en_clean",
    ),
    "commonvoice": (
        corpora.common_voice_release,
        "COMMONVOICE",
        {"data_opts": "--langs sv-SE"},
        "sv",
    ),
    "an4": (corpora.an4, "AN4", {}, "en"),
}


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_takes_the_sets(name, tmp_path):
    make, variable, options, group = RECIPES[name]
    tree = Tree(tmp_path, name)
    make(tmp_path / "given")
    before = sorted((tmp_path / "given").rglob("*"))
    usual = {"experts": group, "test_sets": f"{group}_test", "stop_stage": 1}
    done = tree.run(
        "run.sh", env={variable: str(tmp_path / "given")}, **{**usual, **options}
    )
    assert done.returncode == 0, done.stderr
    assert sorted((tmp_path / "given").rglob("*")) == before
    for split in ("train", "valid", "test"):
        tables = read_kaldi(tree.data / f"{group}_{split}")
        assert set(tables["utt2task"].values()) == {"transcribe"}
        for utterance, speaker in tables["utt2spk"].items():
            assert utterance == speaker or utterance.startswith(f"{speaker}-")
        for audio in tables["wav.scp"].values():
            samples, rate = soundfile.read(tree.recipe / audio)
            assert rate == 16_000
            assert len(samples) == pytest.approx(4800, abs=20)
    # A second run finds them, wherever the corpus is now.
    shutil.rmtree(tmp_path / "given")
    files = tree.files()
    again = tree.run("run.sh", env={variable: "/none"}, **{**usual, **options})
    assert again.returncode == 0, again.stderr
    assert tree.files() == files


def librispeech(tree, place, **options):
    usual = {"train": ["train-clean-100", "train-other-500"], "librispeech": place}
    return tree.prepare("librispeech", **usual, downloads="downloads", nj=2, **options)


def test_halves_of_librispeech(tmp_path):
    tree = Tree(tmp_path, "librispeech")
    done = librispeech(tree, corpora.librispeech(tmp_path / "given"))
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if "utterances" in line] == [
        "data: en_clean: train 4, valid 4, test 4 utterances",
        "data: en_other: train 4, valid 4, test 4 utterances",
    ]
    clean, other = (
        read_kaldi(tree.data / f"en_{kind}_test") for kind in ("clean", "other")
    )
    assert clean["utt2spk"]["en_clean-61-70968-0000"] == "en_clean-61"
    assert other["text"]["en_other-3080-5032-0001"] == "it's two"
    # FLAC of 16 kHz is used where it was unpacked.
    assert not (tree.data / "local").exists()


def test_parts_for_both_halves_are_needed(tmp_path):
    tree = Tree(tmp_path, "librispeech")
    done = tree.run("local/data.sh", train="train-clean-100")
    assert done.returncode == 2
    assert done.stderr == (
        "data.sh: error: --train must have parts of both experts; it has none of "
        "other: name one of train-clean-100 train-clean-360 train-other-500.\n"
    )


def common_voice(tree, place="", **options):
    usual = {"langs": ["sv-SE"], "urls": [], "commonvoice": place}
    options = {"downloads": "downloads", "nj": 2, **usual, **options}
    return tree.prepare("common_voice", **options)


@pytest.mark.parametrize("layout", ["archive", "release", "language"])
def test_common_voice_wherever_it_lies(tmp_path, layout):
    tree = Tree(tmp_path, "commonvoice")
    archive = corpora.common_voice_release(tmp_path / "given")
    place = archive.parent
    if layout != "archive":
        corpora.unpack(archive, archive.parent)
        archive.unlink()
    if layout == "language":
        place = archive.parent / "cv-corpus-21.0-2025-03-14" / "sv-SE"
    done = common_voice(tree, place)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == (
        "data: sv: train 2, valid 1, test 2 utterances; dropped: 1 no text in train"
    )
    texts = sorted(read_kaldi(tree.data / "sv_train")["text"].values())
    assert texts == ["Ett.", 'Två "citat"']


def test_common_voice_by_a_signed_url(tmp_path):
    """What is signed changes with each request; the download is the same."""
    tree = Tree(tmp_path, "commonvoice")
    archive = corpora.common_voice_release(tmp_path / "given")
    with corpora.site(archive.parent) as address:
        url = f"{address}/{archive.name}"
        done = common_voice(tree, urls=[f"{url}?X-Amz-Signature=1&X-Amz-Expires=9"])
        assert done.returncode == 0, done.stderr
        shutil.rmtree(tree.data)
    again = common_voice(tree, urls=[f"{url}?X-Amz-Signature=2"])
    assert again.returncode == 0, again.stderr
    assert "downloading" not in again.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {},
            "must name a directory, or --urls the archive's signed URL, for sv-SE; got",
        ),
        ({"langs": ["tlh"]}, "--langs must be of Common Voice's codes for languages"),
        (
            {"urls": ["a", "b"]},
            "--urls must be one for each language, in their order; g",
        ),
        ({"place": "given", "urls": ["x"]}, "for sv-SE; got both: see README.md"),
        (
            {"place": "given", "langs": ["cy"]},
            "given: must hold cy/train.tsv or an arch",
        ),
        (
            {"place": "/none"},
            "--commonvoice /none: must hold sv-SE/train.tsv or an archi",
        ),
    ],
)
def test_common_voice_is_refused_in_one_line(tmp_path, options, message):
    tree = Tree(tmp_path, "commonvoice")
    corpora.common_voice_release(tree.recipe / "given")
    done = common_voice(tree, **options)
    assert done.returncode == 2
    (error,) = done.stderr.splitlines()
    assert message in error
    assert not tree.data.exists()


def an4(tree, place):
    return tree.prepare("an4", an4=place, valid=100, downloads="downloads", nj=2)


def test_an4_has_a_hundred_utterances_for_validation(tmp_path):
    tree = Tree(tmp_path, "an4")
    corpora.an4(tmp_path / "given")
    done = an4(tree, tmp_path / "given")
    assert done.returncode == 0, done.stderr
    assert "data: en: train 3, valid 100, test 2 utterances" in done.stderr
    tables = read_kaldi(tree.data / "en_test")
    assert tables["text"] == {
        "en-fcaw-an251-b": "rubout g m e f",
        "en-fcaw-an252-b": "go forward ten",
    }
    assert set(tables["utt2spk"].values()) == {"en-fcaw"}
    valid = read_kaldi(tree.data / "en_valid")["text"]
    train = read_kaldi(tree.data / "en_train")["text"]
    assert max(valid) < min(train)


def test_an4_with_a_broken_line_is_refused(tmp_path):
    tree = Tree(tmp_path, "an4")
    archive = corpora.an4(tmp_path / "given")
    corpora.unpack(archive, archive.parent)
    (archive.parent / "an4/etc/an4_test.transcription").write_text("GO (an1)\n")
    done = an4(tree, tmp_path / "given")
    assert done.returncode == 2
    assert "an4_test.transcription:1: must be 'WORDS (an251-fash-b)'" in done.stderr


def test_archive_that_is_not_there_is_named(tmp_path):
    tree = Tree(tmp_path, "librispeech")
    place = corpora.librispeech(tmp_path / "given")
    lose("librispeech", "dev-other.tar.gz")({"librispeech": place})
    done = librispeech(tree, place)
    assert done.returncode == 2
    assert "must hold dev-other.tar.gz" in done.stderr.splitlines()[-1]
    assert not (tree.data / "en_other_train").exists()


@pytest.mark.parametrize("name", ["fleurs", "mls", "commonvoice"])
def test_languages_are_named_alike(name):
    """Experts, test sets and what is prepared for them."""
    text = (ROOT / "egs2" / name / "merge1" / "run.sh").read_text("utf-8")
    (prepared,) = re.findall(r'langs ([a-z,]+)[ "]', text)
    named = dict(re.findall('--([a-z_]+) "([^"]+)"', text))
    codes = prepared.split(",")
    assert sorted(named["test_sets"].split()) == sorted(f"{c}_test" for c in codes)
    assert set(named["experts"].split()) <= set(codes)
