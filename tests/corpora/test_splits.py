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


def split(groups, rows=None):
    """Assign recordings, of one row in one set unless ``rows`` says else."""
    names = [name for group in groups for name in group]
    return assign(groups, rows or {name: {"es": 1} for name in names}, SHARES)


@given(UTTERANCES)
def test_no_two_splits_share_a_speaker_or_a_text(utterances):
    groups = joined(keys(utterances))
    chosen = split(groups)
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
    for names in joined(keys(utterances)):
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
    assert split(joined(keys(mixed))) == split(joined(keys(utterances)))


@pytest.mark.parametrize("count", [10, 1000])
def test_shares_of_single_utterances_are_met(count):
    chosen = [*split([[f"u{n}"] for n in range(count)]).values()]
    assert [chosen.count(name) for name in SHARES] == [
        count * 8 // 10,
        count // 10,
        count // 10,
    ]


def test_a_speaker_with_half_of_the_corpus_is_trained_on():
    chance = random.Random(0)
    sizes = [500, 200, *(chance.randint(5, 20) for _ in range(40))]
    chosen = split([[f"{n}-{i}" for i in range(s)] for n, s in enumerate(sizes)])
    assert {chosen["0-0"], chosen["1-0"]} == {"train"}
    total = len(chosen)
    for name, share in SHARES.items():
        found = [*chosen.values()].count(name)
        assert found == pytest.approx(share * total, abs=20)


def test_each_set_has_its_shares():
    """Also a small one, whether it has recordings of its own or those of another."""
    rows = {f"a{n}": {"es": 1} for n in range(900)}
    rows |= {f"b{n}": {"es": 1, "es-en": 1} for n in range(100)}
    rows |= {f"c{n}": {"it": 1} for n in range(10)}
    chosen = split([[name] for name in rows], rows)
    for name, total in (("es", 1000), ("es-en", 100), ("it", 10)):
        own = [chosen[recording] for recording in rows if name in rows[recording]]
        found = [own.count(name) for name in SHARES]
        expected = [share * total for share in SHARES.values()]
        assert found == pytest.approx(expected, abs=total / 200)


@pytest.mark.parametrize("most", [1, 30])
def test_corpora_that_differ_in_a_few_rows_are_split_alike(most):
    """One row of each recording, or up to thirty of each speaker."""
    chance = random.Random(0)
    rows = {f"r{n}": {"es": chance.randint(1, most)} for n in range(400)}
    kept = {
        name: {"es-en": found}
        for name, own in rows.items()
        if (found := sum(chance.random() > 0.03 for _ in range(own["es"])))
    }
    one, other = (split([[name] for name in own], own) for own in (rows, kept))
    changed = [name for name in other if one[name] != other[name]]
    assert len(changed) < 0.02 * len(rows)


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
        ("train_dev", "valid"),  # as ESPnet's recipes call it
        ("train_clean_100", "train"),
        ("dev-other", "valid"),
        ("es_dev", "valid"),
        ("validation-00000-of-00003.parquet", "valid"),
        ("tr_test.csv", "test"),  # Turkish
        ("test_tr.csv", "test"),
        ("tr", ""),
        ("trainer.csv", ""),
        ("contest", ""),
    ],
)
def test_names_that_tell_the_split(name, split):
    assert split_of(name) == split
