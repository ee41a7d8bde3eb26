"""Differences of BLEU and chrF against sacreBLEU's own paired tests."""

import random

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.significance import PairedTest, estimate_ci

from espnet_merge.score import translation
from espnet_merge.score.design import Design
from espnet_merge.score.holm import holm
from espnet_merge.score.translation import (
    Translations,
    read_translations,
    score_differences,
)

SEED = 12345  # sacreBLEU's, where SACREBLEU_SEED is not set
RESAMPLES = 300


def spoil(text, errors, chance):
    """Replace words at random."""
    words = (word if chance.random() > errors else "wrong" for word in text.split())
    return " ".join(words)


@pytest.fixture(scope="module")
def texts():
    chance = random.Random(0)
    vocabulary = [f"word{index}" for index in range(40)]
    said = [" ".join(chance.choices(vocabulary, k=12)) + "." for _ in range(60)]
    systems = [[spoil(text, share, chance) for text in said] for share in (0.3, 0.26)]
    return said, *systems


def write(folder, said, *systems):
    """Write the data directory of an English set and the systems' hypotheses."""
    folders = [folder / "set", *(folder / f"s{i}" for i in range(len(systems)))]
    for path, lines in zip(folders, (said, *systems), strict=True):
        path.mkdir(parents=True)
        rows = (f"u{index:03} {text}\n" for index, text in enumerate(lines))
        (path / "text").write_text("".join(rows))
    languages = (f"u{index:03} en\n" for index in range(len(said)))
    (folders[0] / "utt2lang").write_text("".join(languages))
    return folders[0], folders[1:]


def translations(folder, metric, *texts):
    reference, hypotheses = write(folder, *texts)
    (part,) = read_translations(reference, hypotheses, "none", metric)
    return part


def sacrebleus(texts, metric, test):
    """Return the second system's result, and the first's score."""
    said, one, two = texts
    scorer = {"bleu": BLEU, "chrf": CHRF}[metric]()
    systems = [("one", one), ("two", two)]
    paired = PairedTest(systems, {metric: scorer}, [said], test, n_samples=RESAMPLES)
    (name,) = paired.metrics
    first, second = paired()[1][name]
    return first.score, second


@pytest.mark.parametrize("metric", ["bleu", "chrf"])
def test_bootstrap_is_sacrebleus(tmp_path, texts, metric, monkeypatch):
    monkeypatch.delenv("SACREBLEU_SEED", raising=False)
    part = translations(tmp_path, metric, *texts)
    first, second = sacrebleus(texts, metric, "bs")
    assert part.scores() == pytest.approx([first, second.score])
    drawn = part.resampled(RESAMPLES, SEED)
    mean, half = estimate_ci(drawn[:, 1])
    # Its counts are 32 bits wide.
    assert (mean, half) == pytest.approx((second.mean, second.ci), rel=1e-5)
    (row,) = score_differences([part], [drawn], 0, 1, Design(resamples=RESAMPLES))
    assert row.p_bootstrap == pytest.approx(second.p_value)
    assert 1 / 301 < row.p_bootstrap < 0.9
    assert row.low < row.points < row.high


@pytest.mark.parametrize("metric", ["bleu", "chrf"])
def test_randomization_is_sacrebleus(tmp_path, texts, metric, monkeypatch):
    monkeypatch.delenv("SACREBLEU_SEED", raising=False)
    monkeypatch.setattr(Design, "seeds", lambda *_: SEED)
    part = translations(tmp_path, metric, *texts)
    _, second = sacrebleus(texts, metric, "ar")
    drawn = part.resampled(RESAMPLES, SEED)
    (row,) = score_differences([part], [drawn], 0, 1, Design(resamples=RESAMPLES))
    assert row.p == pytest.approx(second.p_value)
    assert 1 / 301 < row.p < 0.9


def test_equal_systems_do_not_differ(tmp_path, texts):
    said, one, _ = texts
    part = translations(tmp_path, "bleu", said, one, one)
    drawn = part.resampled(100)
    (row,) = score_differences([part], [drawn], 0, 1, Design(resamples=100))
    assert (row.points, row.low, row.high, row.improved) == (0, 0, 0, 0)
    assert (row.p, row.p_bootstrap) == (1, 1)


def test_mean_of_sets_and_correction(tmp_path, texts):
    said, one, two = texts
    here = translations(tmp_path / "here", "chrf", said, one, two)
    back = translations(tmp_path / "back", "chrf", said[:40], two[:40], one[:40])
    parts = [here, Translations(**{**vars(back), "name": "back"})]
    design = Design(resamples=200)
    drawn = [part.resampled(200, design.seeds(part.name, "chrf")) for part in parts]
    up, down, mean = score_differences(parts, drawn, 0, 1, design)
    (here,), (back,) = (
        score_differences([part], [scores], 0, 1, design)
        for part, scores in zip(parts, drawn, strict=True)
    )
    assert up.points > 0 > down.points
    assert (up.improved > 0.9, down.improved < 0.2) == (True, True)
    assert [up.p, down.p] == holm([here.p, back.p])
    assert (mean.name, mean.metric, mean.units) == ("mean", "chrf", 100)
    assert mean.points == pytest.approx((up.points + down.points) / 2)
    # The two cancel each other.
    assert mean.low < 0 < mean.high
    assert mean.p > max(here.p, back.p)


def test_swaps_in_chunks(tmp_path, texts, monkeypatch):
    part = translations(tmp_path, "bleu", *texts)
    whole = part.swapped(0, 1, 500)
    monkeypatch.setattr(translation, "CHUNK", 7 * 60)
    pieces = part.swapped(0, 1, 500)
    assert len(pieces) == len(whole) == 500
    assert pieces.std() == pytest.approx(whole.std(), rel=0.2)
    assert abs(pieces.mean()) < 3 * whole.std() / np.sqrt(500)
    assert part.swapped(1, 1, 3).tolist() == [0, 0, 0]


def test_speakers_are_units(tmp_path, texts):
    reference, hypotheses = write(tmp_path, *texts)
    speakers = (f"u{index:03} s{index % 4}\n" for index in range(60))
    (reference / "utt2spk").write_text("".join(speakers))
    utterances, spoken = (
        read_translations(reference, hypotheses, "none", "bleu", by_speaker=by)[0]
        for by in (False, True)
    )
    assert [len(own) for own in spoken.statistics] == [4, 4]
    assert spoken.scores() == pytest.approx(utterances.scores())
