"""Counts against jiwer's own functions and against sclite."""

import re
import shutil
import subprocess
from pathlib import Path

import jiwer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_merge.score.counts import Counts, align, count

SCLITE = shutil.which("sclite") or "/usr/lib/sctk/bin/sclite"
needs_sclite = pytest.mark.skipif(
    not Path(SCLITE).exists(), reason="sclite is not installed (Debian: sctk)"
)
# Latin, Cyrillic, right-to-left, CJK, an astral plane, combining marks.
WORDS = st.sampled_from(
    ["a", "b", "él", "ёж", "שלום", "مرحبا", "中文", "𝄞", "हि", "x1"]
)
TEXTS = st.lists(WORDS, max_size=12).map(" ".join)


def total(pairs, metric):
    return sum((count(align(*pair, metric)) for pair in pairs), Counts())


@settings(deadline=None)
@given(st.lists(st.tuples(TEXTS.filter(bool), TEXTS), min_size=1, max_size=8))
def test_rates_are_jiwers(pairs):
    references, hypotheses = map(list, zip(*pairs, strict=True))
    words, characters = total(pairs, "wer"), total(pairs, "cer")
    assert words.rate == pytest.approx(100 * jiwer.wer(references, hypotheses))
    assert characters.rate == pytest.approx(100 * jiwer.cer(references, hypotheses))
    assert words.sentences == len(pairs)
    assert words.wrong_sentences == sum(a != b for a, b in pairs)


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_alignment_spells_both_sides(reference, hypothesis):
    pairs = align(reference, hypothesis, "wer")
    assert [a for a, _ in pairs if a is not None] == reference.split()
    assert [b for _, b in pairs if b is not None] == hypothesis.split()


@given(TEXTS)
def test_a_text_aligns_with_itself(text):
    for metric, tokens in (("wer", text.split()), ("cer", list(text))):
        assert align(text, text, metric) == [(token, token) for token in tokens]


def test_hand_values():
    assert count(align("", "x y", "wer")) == Counts(
        insertions=2, sentences=1, wrong_sentences=1
    )
    assert count(align("x y", "", "wer")).deletions == 2
    assert count(align("", "", "cer")) == Counts(sentences=1)
    assert count(align("ab", "a b", "cer")).insertions == 1


def sclite_counts(tmp_path, pairs):
    """Return sclite's (correct, sub, del, ins) of every pair, in order."""
    for side, name in enumerate(("ref", "hyp")):
        lines = (f"{pair[side]} (s-{i:05})\n" for i, pair in enumerate(pairs))
        (tmp_path / name).write_text("".join(lines), encoding="utf-8")
    command = [SCLITE, "-r", "ref", "trn", "-h", "hyp", "trn", "-i", "rm", "-s"]
    done = subprocess.run(
        [*command, "-e", "utf-8", "-o", "pra", "stdout"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    found = re.findall(
        rb"id: \(s-(\d+)\)\s+Scores: \(#C #S #D #I\) (\d+) (\d+) (\d+) (\d+)",
        done.stdout,
    )
    assert len(found) == len(pairs)
    return [tuple(map(int, row[1:])) for row in sorted(found)]


def ours(pair):
    counts = count(align(*pair, "wer"))
    return (
        counts.correct,
        counts.substitutions,
        counts.deletions,
        counts.insertions,
    )


# Errors with a correct word on both sides have one best alignment, whatever an
# error costs; so every count must be the same.
@st.composite
def edited(draw):
    reference, hypothesis = [], []
    for position in range(draw(st.integers(1, 6))):
        for word in (f"w{position}", f"ш{position}", f"ש{position}"):
            reference.append(word)
            hypothesis.append(word)
        edit = draw(st.sampled_from(["none", "sub", "del", "ins"]))
        if edit in ("sub", "del"):
            reference.append(f"中{position}")
        if edit in ("sub", "ins"):
            hypothesis.append(f"ü{position}")
    return " ".join(reference), draw(st.sampled_from([" ".join(hypothesis), ""]))


@needs_sclite
@settings(max_examples=5, deadline=None)
@given(pairs=st.lists(edited(), min_size=200, max_size=200))
def test_counts_are_sclites(tmp_path_factory, pairs):
    expected = sclite_counts(tmp_path_factory.mktemp("sclite"), pairs)
    assert [ours(pair) for pair in pairs] == expected


# sclite minimises 4 S + 3 D + 3 I. On arbitrary text its alignment may hold more
# errors than the fewest possible, never fewer, and ours never weighs less.
@needs_sclite
@settings(max_examples=5, deadline=None)
@given(pairs=st.lists(st.tuples(TEXTS.filter(bool), TEXTS), min_size=200, max_size=200))
def test_sclite_never_finds_fewer_errors(tmp_path_factory, pairs):
    theirs = sclite_counts(tmp_path_factory.mktemp("sclite"), pairs)
    for pair, (correct, *errors) in zip(pairs, theirs, strict=True):
        mine = ours(pair)
        assert mine[0] + mine[1] + mine[2] == correct + errors[0] + errors[1]
        assert sum(mine[1:]) <= sum(errors)
        weigh = [4 * s + 3 * d + 3 * i for s, d, i in (mine[1:], errors)]
        assert weigh[1] <= weigh[0]
