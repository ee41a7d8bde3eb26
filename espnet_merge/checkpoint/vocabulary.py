"""Which token each row of the token embedding is of, whatever file says it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from espnet_merge.checkpoint.hf import read_json
from espnet_merge.errors import InputError
from espnet_merge.files import TOKENIZER_JSON, VOCAB_JSON

# Hugging Face's file of a fast tokenizer says all; without it the others do together.
FAST = TOKENIZER_JSON
SLOW = (VOCAB_JSON, "added_tokens.json", "tokenizer_config.json")
LINES = "vocab.txt"
# Names of older tokenizers -> those of newer ones, for the same token.
RENAMED = {"<|nocaptions|>": "<|nospeech|>"}

# Token of each row.
type Vocabulary = dict[int, str]


def vocabulary_files(directory: Path) -> list[Path]:
    """Return the files that tell the vocabulary; none where nothing does."""
    if (directory / FAST).is_file():
        return [directory / FAST]
    slow = [directory / name for name in SLOW if (directory / name).is_file()]
    if slow and slow[0].name == SLOW[0]:
        return slow
    return [directory / LINES] if (directory / LINES).is_file() else []


def read_vocabulary(files: Iterable[Path]) -> Vocabulary:
    """Return the vocabulary in ``vocabulary_files``; added tokens come last.

    Raises:
        InputError: a file is none of a tokenizer.
    """
    found: Vocabulary = {}
    for file in files:
        try:
            tokens = _lines(file) if file.name == LINES else _tokens(file)
            found |= {int(row): RENAMED.get(token, token) for token, row in tokens}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"{file}: not a tokenizer of Hugging Face's ({error!r}); copy it again."
            ) from error
    return found


def _lines(file: Path) -> Iterable[tuple[str, int]]:
    lines = file.read_text("utf-8").removesuffix("\n").split("\n")
    return ((token, row) for row, token in enumerate(lines))


def _tokens(file: Path) -> Iterable[tuple[str, Any]]:
    content = read_json(file)
    if file.name == FAST:
        vocab = content["model"]["vocab"]
        if not isinstance(vocab, Mapping):  # SentencePiece's, each with its score
            vocab = {token: row for row, (token, _) in enumerate(vocab)}
        added = [(str(x["content"]), x["id"]) for x in content["added_tokens"]]
        return [*vocab.items(), *added]
    if file.name == "tokenizer_config.json":
        decoder = content.get("added_tokens_decoder") or {}
        return [(str(token["content"]), row) for row, token in decoder.items()]
    return content.items()
