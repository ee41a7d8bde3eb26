"""Counts against jiwer's own functions and against sclite."""

import jiwer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_merge.score.counts import Counts, align, count
from tests.score import sctk
from tests.score.sctk import needs_sctk

TEXTS = st.lists(st.sampled_from(sctk.WORDS), max_size=12).map(" ".join)


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


@needs_sctk
@settings(max_examples=5, deadline=None)
@given(pairs=st.lists(edited(), min_size=200, max_size=200))
def test_counts_are_sclites(pairs):
    assert [ours(pair) for pair in pairs] == sctk.sclite(pairs)


# sclite minimises 4 S + 3 D + 3 I. On arbitrary text its alignment may hold more
# errors than the fewest possible, never fewer, and ours never weighs less.
@needs_sctk
@settings(max_examples=5, deadline=None)
@given(pairs=st.lists(st.tuples(TEXTS.filter(bool), TEXTS), min_size=200, max_size=200))
def test_sclite_never_finds_fewer_errors(pairs):
    for pair, (correct, *errors) in zip(pairs, sctk.sclite(pairs), strict=True):
        mine = ours(pair)
        assert mine[0] + mine[1] + mine[2] == correct + errors[0] + errors[1]
        assert sum(mine[1:]) <= sum(errors)
        weigh = [4 * s + 3 * d + 3 * i for s, d, i in (mine[1:], errors)]
        assert weigh[1] <= weigh[0]


# With errors as systems make them the fewest are what sclite finds, too; empty
# references and hypotheses are among them.
@pytest.mark.parametrize(
    ("metric", "texts"), [("wer", sctk.pairs), ("cer", sctk.spelt)]
)
def test_errors_of_a_thousand_pairs_are_sclites(metric, texts):
    found = [count(align(*pair, metric)).errors for pair in texts()]
    assert found == sctk.kept()[metric]


@needs_sctk
def test_kept_figures_are_what_sctk_prints():
    assert sctk.made() == sctk.kept()
