"""Names are unique, have no spaces, and sort alike by utterance and by speaker."""

import dataclasses

import hypothesis.strategies as st
from hypothesis import assume, given

from espnet_merge.corpora.names import name_rows, recording_keys
from espnet_merge.corpora.rows import Row
from espnet_merge.errors import InputError

ROW = Row("t:1", "/c/a.wav", "hola", "", "", "es", "transcribe", "", None, None)
# As rows.py leaves them.
WORD = st.text(min_size=1, max_size=5).map(str.strip).filter(bool)


def row(**values):
    return dataclasses.replace(ROW, **values)


@given(st.lists(st.tuples(WORD, WORD), min_size=1, max_size=8))
def test_one_order_by_name_and_by_speaker(pairs):
    rows = [row(key=key, speaker=speaker) for key, speaker in pairs]
    try:
        named = name_rows(rows, "es", {})
    except InputError:  # two are spelt alike
        assume(False)
    names = {one.name.encode(): one.speaker.encode() for one in named}
    assert len(names) == len(named)
    for one in named:
        assert one.name.startswith(f"{one.speaker}-")
        assert len(one.name.split()) == len(one.speaker.split()) == 1
    by_name = sorted(names)
    assert by_name == sorted(names, key=lambda name: (names[name], name))


@given(st.sets(st.lists(st.sampled_from("ab-"), min_size=1, max_size=3).map(tuple)))
def test_recordings_have_names_of_their_own(paths):
    recordings = {f"/c/{'/'.join(path)}x.wav" for path in paths}
    keys = recording_keys(recordings)
    assert len(set(keys.values())) == len(recordings)


def test_heads_that_all_names_have_are_not_repeated():
    rows = [row(key=f"es-ana-{n}", speaker="es-ana") for n in (1, 2)]
    assert [one.name for one in name_rows(rows, "es", {})] == ["es-ana-1", "es-ana-2"]
    rows.append(row(key="9", speaker="bea"))
    assert [one.name for one in name_rows(rows, "es", {})] == [
        "es-es_ana-es-ana-1",
        "es-es_ana-es-ana-2",
        "es-bea-9",
    ]


def test_long_names_are_cut_and_stay_different():
    ids = [f"{n:x}" * 128 for n in range(2)] + ["a" * 127 + "b", "a" * 128]
    rows = [row(key="ñ" * 200 + str(n), speaker=who) for n, who in enumerate(ids)]
    named = name_rows(rows, "es", {})
    assert len({one.name for one in named}) == len({one.speaker for one in named}) == 4
    assert max(len(one.name.encode()) for one in named) < 200
    assert named[0].speaker == f"es-{'0' * 40}"
    assert named[0].name.startswith(f"es-{'0' * 40}-ñ")
