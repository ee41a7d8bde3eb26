"""Each format in and each format out: the runtime of that says what we say."""

import hashlib
from contextlib import nullcontext

import pytest

from espnet_merge.bin.export import Command
from espnet_merge.export.check import check, utterances_of
from espnet_merge.export.formats import format_of
from espnet_merge.export.source import folded, open_source
from espnet_merge.options import declared

MODELS = ("hf", "bin", "shards", "openai", "ctranslate2", "task", "own")
ADAPTERS = ("peft", "old_peft")
WHOLE = ("hf", "hf float16", "openai", "ctranslate2", "ggml", "onnx")
CELLS = [
    *((given, out) for given in (*MODELS, *ADAPTERS) for out in WHOLE),
    # Of a random adapter 8 bits change what it says.
    *((given, out) for given in MODELS for out in ("ctranslate2 int8", "bundle")),
    *((given, "peft") for given in ADAPTERS),
]
said: dict[str, list[str]] = {}
decoded: dict[tuple[str, str], list[str]] = {}


def texts(speaking, given, out, directory):
    """Export, decode there and here, and return what both say."""
    name, _, dtype = out.partition(" ")
    kind = format_of(name)
    pytest.importorskip(kind.runtime.module)  # make setup installs all of them
    adapters = {}
    if name == "bundle":
        adapters = {"es": speaking.peft, "it": speaking.old_peft}
    # Of ESPnet's own Whisper and of an adapter the files do not tell all.
    base = {"own": speaking.base, "peft": speaking.hf, "old_peft": speaking.hf}
    with open_source(getattr(speaking, given), base.get(given), adapters) as source:
        with folded(source) if kind.folded else nullcontext(source) as whole:
            # Graphs take long: those of the same files are written once.
            key = (out, digest_of(whole.model))
            if name == "onnx" and key in decoded:
                return decoded[key]
            kind.write(whole, directory, dtype or kind.dtypes[0])
        utterances = utterances_of(speaking.data, source.model)
        checked = check(kind, directory, source, utterances)
    assert str(checked).endswith("2 of 2 texts are equal"), str(checked)
    decoded[key] = [pair.theirs for pair in checked.pairs]
    return decoded[key]


def digest_of(directory):
    """Return the digest of all that is exported."""
    digest = hashlib.sha256()
    for file in sorted(directory.iterdir()):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


@pytest.mark.parametrize(("given", "out"), CELLS, ids=map(" to ".join, CELLS))
def test_texts_are_equal(speaking, given, out, tmp_path):
    found = texts(speaking, given, out, tmp_path)
    # And what went in is one model, or one adapter of it, whatever its format.
    group = "adapter" if given in ADAPTERS or out == "bundle" else "model"
    assert found == said.setdefault(group, found)
    assert len(set(found)) == 2
    assert all(found)


def test_an_adapter_says_something_else():
    assert said["model"] != said["adapter"]


def test_every_format_is_in_the_matrix():
    known = set(declared(Command)["to"].choices)
    assert known == {out.partition(" ")[0] for _, out in CELLS}
