"""Labels as Whisper was trained on them, token by token."""

import pytest

from espnet_merge.errors import InputError
from espnet_merge.whisper.labels import LabelConf, LabelInput, make_label
from espnet_merge.whisper.prompt import encode_target, load_tokenizer

ONE = LabelInput("es-1", "hola", "es", "transcribe", 2.489, " ¿Qué tal? ")


@pytest.fixture(scope="module")
def tokenizer(micro_whisper):
    return load_tokenizer(micro_whisper)


def label(tokenizer, one=ONE, longest=448, **conf):
    """Return what is given and what is learnt, as text."""
    ids, learnt = make_label(tokenizer, one, LabelConf(**conf), longest)
    assert len(ids) == len(learnt)
    first = learnt.index(True)
    given, rest = ids[:first], ids[first:]
    assert all(learnt[first:]) or conf.get("language")
    return tokenizer.decode(given), tokenizer.decode(rest)


PROMPT = "<|startoftranscript|><|es|><|transcribe|>"


def test_plain(tokenizer):
    given, learnt = label(tokenizer)
    assert given == PROMPT + "<|notimestamps|>"
    assert learnt == " hola<|endoftext|>"
    ids, _ = make_label(tokenizer, ONE, LabelConf(), 448)
    assert ids == encode_target(tokenizer, "hola", "es", "transcribe")


def test_timestamps_are_learnt(tokenizer):
    ids, learnt = make_label(tokenizer, ONE, LabelConf(timestamps=1), 448)
    tokens = tokenizer.convert_ids_to_tokens(ids)
    assert tokens[2:4] == ["<|transcribe|>", "<|0.00|>"]
    # 2.489 s, to the nearest 20 ms.
    assert tokens[-2:] == ["<|2.48|>", "<|endoftext|>"]
    assert learnt == [False] * 3 + [True] * 8
    long = ONE._replace(seconds=30.0)
    ids, _ = make_label(tokenizer, long, LabelConf(timestamps=1), 448)
    assert tokenizer.convert_ids_to_tokens(ids[-2:-1]) == ["<|30.00|>"]


def test_the_previous_text_is_given(tokenizer):
    given, learnt = label(tokenizer, previous=1)
    assert given == "<|startofprev|> ¿Qué tal?" + PROMPT + "<|notimestamps|>"
    assert learnt == " hola<|endoftext|>"
    nothing = ONE._replace(previous=" ")
    assert label(tokenizer, nothing, previous=1) == label(tokenizer)


def test_of_a_long_previous_text_the_end_is_kept(tokenizer):
    one = ONE._replace(previous="a" * 300 + "b")
    ids, learnt = make_label(tokenizer, one, LabelConf(previous=1), 448)
    # 223 tokens at most, as in openai/whisper; then the prompt, text and end.
    assert len(ids) == 1 + 223 + 4 + 5 + 1
    assert tokenizer.decode(ids[1:224]) == "a" * 222 + "b"
    assert sum(learnt) == 6
    # And less where the text itself is long.
    full = one._replace(text="c" * 300)
    ids, _ = make_label(tokenizer, full, LabelConf(previous=1), 448)
    assert len(ids) == 448
    assert ids.index(257) == 1 + 448 - 1 - 4 - 301 - 1
    all_of_it = one._replace(text="c" * 442)
    assert label(tokenizer, all_of_it, previous=1)[0] == PROMPT + "<|notimestamps|>"


def test_the_language_is_learnt(tokenizer):
    ids, learnt = make_label(tokenizer, ONE, LabelConf(language=1, previous=0), 448)
    assert learnt == [False, True, False, False] + [True] * 6
    assert tokenizer.convert_ids_to_tokens(ids[1:2]) == ["<|es|>"]
    ids, learnt = make_label(tokenizer, ONE, LabelConf(language=1, previous=1), 448)
    assert learnt.index(True) == ids.index(257) + 1


def test_shares_are_drawn_by_names(tokenizer):
    conf = LabelConf(timestamps=0.3, previous=0.5)
    found = [
        make_label(tokenizer, ONE._replace(name=f"es-{i}"), conf, 448).ids
        for i in range(400)
    ]
    again = [
        make_label(tokenizer, ONE._replace(name=f"es-{i}"), conf, 448).ids
        for i in range(400)
    ]
    assert found == again
    no_timestamps = tokenizer.convert_tokens_to_ids("<|notimestamps|>")
    timed = [no_timestamps not in ids for ids in found]
    before = [ids[0] != 257 for ids in found]
    both = [x and y for x, y in zip(timed, before, strict=True)]
    shares = [sum(x) / 400 for x in (timed, before, both)]
    # They are drawn apart; three deviations of a share are 0.075 at most.
    assert shares == pytest.approx([0.3, 0.5, 0.15], abs=0.075)


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({"timestamps": 1.5}, r"label_conf.timestamps must be a share"),
        ({"previous": True}, r"label_conf.previous must be a share"),
        ({"language": "all"}, r"label_conf.language must be a share"),
    ],
)
def test_bad_shares(conf, message):
    with pytest.raises(InputError, match=message):
        LabelConf(**conf)


def test_no_previous_text_is_known(tokenizer):
    with pytest.raises(InputError, match="FILE,previous,text"):
        label(tokenizer, ONE._replace(previous=None), previous=1)
