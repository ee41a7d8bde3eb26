"""Vocabularies are compared by their tokens, whatever file holds them."""

import json

import pytest

from espnet_merge.checkpoint.agree import check_vocabularies
from espnet_merge.checkpoint.vocabulary import read_vocabulary, vocabulary_files
from espnet_merge.errors import InputError

WORDS = {"a": 0, "b": 1, "Ġc": 2}
ADDED = {"<|es|>": 3, "<|nospeech|>": 4}


def put(directory, **files):
    directory.mkdir()
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        suffix = "txt" if isinstance(content, str) else "json"
        (directory / f"{name}.{suffix}").write_text(text, encoding="utf-8")
    return directory


def fast(vocab, added=()):
    tokens = [{"id": row, "content": token} for token, row in dict(added).items()]
    return {"model": {"vocab": vocab}, "added_tokens": tokens}


def decoder(added):
    rows = {str(row): {"content": token} for token, row in added.items()}
    return {"added_tokens_decoder": rows}


EQUAL = {
    "fast": {"tokenizer": fast(WORDS, ADDED)},
    "fast, in one": {"tokenizer": fast(WORDS | ADDED)},
    "slow": {"vocab": WORDS, "added_tokens": ADDED},
    "slow, in one": {"vocab": dict(reversed([*WORDS.items(), *ADDED.items()]))},
    "slow, newer": {"vocab": WORDS, "tokenizer_config": decoder(ADDED)},
    "both": {"tokenizer": fast(WORDS, ADDED), "vocab": {"stale": 0}},
    "older": {"vocab": WORDS | {"<|es|>": 3, "<|nocaptions|>": 4}},
    "without added": {"vocab": WORDS, "tokenizer_config": {}},
    "with more": {"vocab": WORDS | ADDED, "added_tokens": {"<|0.00|>": 5}},
    "scores": {"tokenizer": fast([["a", 0.0], ["b", -1.5], ["Ġc", -2.0]], ADDED)},
    "lines": {"vocab": "a\nb\nĠc\n"},
    "nothing": {"config": {}},
}
OTHER = {
    "permuted": ({"vocab": {"a": 0, "b": 2, "Ġc": 1}}, r"row 2 is 'b', .* 'Ġc'"),
    "another": ({"vocab": {"a": 0, "d": 1}}, r"row 1 is 'd', in the other 'b'"),
    "moved": ({"vocab": {"a": 7}}, r"token 'a' is 7, in the other 0"),
    "added": ({"added_tokens": {"<|it|>": 3}, "vocab": WORDS}, r"row 3 is '<.it.>'"),
    "fast": ({"tokenizer": fast(WORDS, {"<|es|>": 4})}, "row 4 is '<.es.>'"),
    "lines": ({"vocab": "b\na\n"}, "row 0 is 'b', in the other 'a'"),
}


@pytest.mark.parametrize("one", EQUAL)
def test_equal_ones_of_any_files(tmp_path, one):
    mine = put(tmp_path / "one", **EQUAL[one])
    for name, files in EQUAL.items():
        check_vocabularies([mine, put(tmp_path / name, **files)])
    every = [tmp_path / name for name in EQUAL]
    check_vocabularies([mine, *every])


@pytest.mark.parametrize("kind", OTHER)
def test_other_ones_of_any_files(tmp_path, kind):
    files, message = OTHER[kind]
    other = put(tmp_path / "other", **files)
    for name in ("fast", "slow", "slow, newer", "both", "older"):
        path = put(tmp_path / name, **EQUAL[name])
        with pytest.raises(InputError, match=f"other: another vocabulary .*{message}"):
            check_vocabularies([path, put(tmp_path / f"{name} bare"), other])


def test_what_is_no_tokenizer_is_named(tmp_path):
    for number, content in enumerate(({}, {"model": 1}, {"model": {"vocab": [1]}})):
        path = put(tmp_path / str(number), tokenizer=content)
        with pytest.raises(InputError, match=r"tokenizer.json: not a tokenizer"):
            read_vocabulary(vocabulary_files(path))
    path = put(tmp_path / "slow", vocab={"a": "first"})
    with pytest.raises(InputError, match=r"vocab.json: not a tokenizer"):
        read_vocabulary(vocabulary_files(path))
