"""Splits are disjoint, near their shares, never empty, and the same in any order."""

import random
from collections import defaultdict

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from espnet_merge.corpora.rows import sentence
from espnet_merge.corpora.splits import assign, joined, split_of

SHARES = {"train": 0.8, "valid": 0.1, "test": 0.1}
UTTERANCES = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 25)), min_size=3, max_size=60
).map(lambda pairs: {f"u{n:02}": pair for n, pair in enumerate(pairs)})


def keys(utterances):
    return {n: [("speaker", s), ("text", t)] for n, (s, t) in utterances.items()}


@given(UTTERANCES)
def test_no_two_splits_share_a_speaker_or_a_text(utterances):
    groups = joined(keys(utterances))
    chosen = assign(groups, SHARES)
    assert chosen.keys() == utterances.keys()
    for column in (0, 1):
        where = defaultdict(set)
        for name, pair in utterances.items():
            where[pair[column]].add(chosen[name])
        assert all(len(splits) == 1 for splits in where.values())
    if len(groups) >= len(SHARES):
        assert set(chosen.values()) == set(SHARES)


@given(UTTERANCES)
def test_groups_are_the_finest(utterances):
    """Within a group a chain of shared keys leads from each name to each other."""
    for names in joined(keys(utterances)).values():
        reached, before = {names[0]}, set()
        while reached != before:
            before = set(reached)
            for name in names:
                if any(
                    utterances[name][c] == utterances[other][c]
                    for other in before
                    for c in (0, 1)
                ):
                    reached.add(name)
        assert reached == set(names)


@settings(max_examples=30)
@given(UTTERANCES, st.randoms())
def test_order_does_not_matter(utterances, chance):
    names = [*utterances]
    chance.shuffle(names)
    mixed = {name: utterances[name] for name in names}
    assert assign(joined(keys(mixed)), SHARES) == assign(
        joined(keys(utterances)), SHARES
    )


@pytest.mark.parametrize("count", [10, 1000])
def test_shares_of_single_utterances_are_met(count):
    groups = {n: [f"u{n}"] for n in range(count)}
    chosen = [*assign(groups, SHARES).values()]
    assert [chosen.count(split) for split in SHARES] == [
        count * 8 // 10,
        count // 10,
        count // 10,
    ]


def test_a_speaker_with_half_of_the_corpus_is_trained_on():
    chance = random.Random(0)
    sizes = [500, 200, *(chance.randint(5, 20) for _ in range(40))]
    groups = {n: [f"{n}-{i}" for i in range(size)] for n, size in enumerate(sizes)}
    chosen = assign(groups, SHARES)
    assert {chosen["0-0"], chosen["1-0"]} == {"train"}
    total = len(chosen)
    for split, share in SHARES.items():
        found = [*chosen.values()].count(split)
        assert found == pytest.approx(share * total, abs=20)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Buenos días.", "buenos dias", False),
        ("Buenos días.", "¡BUENOS, DÍAS!", True),
        ("straße", "STRASSE", True),
        ("कि", "की", False),  # marks are letters in many scripts
        ("uno dos", "unodos", True),
    ],
)
def test_sentences_that_are_read_alike(one, other, same):
    assert (sentence(one) == sentence(other)) is same


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train", "train"),
        ("train_nodev", "train"),
        ("es_dev", "valid"),
        ("data/validation-00000-of-00003.parquet", "valid"),
        ("corpus/test/ana/1.wav", "test"),
        ("trainer.csv", ""),
        ("contest/1.wav", ""),
    ],
)
def test_names_that_tell_the_split(name, split):
    assert split_of(name) == split
