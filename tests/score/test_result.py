from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_merge.score.counts import align, count
from espnet_merge.score.result import alignments, read_counts

# Among them, what looks like a line of the file itself.
WORDS = st.sampled_from(["a", "b", "id:", "(x)", "speaker:", "Scores:", "עם", "中"])
TEXTS = st.lists(WORDS, max_size=6).map(" ".join)


@settings(deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=6))
def test_counts_are_read_as_they_were_written(pairs):
    rows = []
    for index, pair in enumerate(pairs):
        aligned = align(*pair, "wer")
        rows.append((f"u({index})", "a speaker", aligned, count(aligned)))
    written = {name: counts for name, _, _, counts in rows}
    assert read_counts("\n".join(alignments(rows))) == written
