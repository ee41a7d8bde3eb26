"""What a Hugging Face directory holds beside its weights, by name.

By name, because directories hold much that is no part of the model: the state of a
training and its results, records of a fetch or a merge, the index of other weights.
"""

from collections.abc import Sequence
from pathlib import Path

from espnet_merge.files import (
    CONFIG_JSON,
    GENERATION_JSON,
    MERGES_TXT,
    PREPROCESSOR_JSON,
    TOKENIZER_JSON,
    VOCAB_JSON,
)

# The first of these that is there holds the vocabulary.
VOCABULARY = (
    TOKENIZER_JSON,
    VOCAB_JSON,
    "vocab.txt",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
)
TOKENIZER = (
    *VOCABULARY,
    MERGES_TXT,
    "added_tokens.json",
    "special_tokens_map.json",
    "tokenizer_config.json",
    "normalizer.json",
    "chat_template.json",
    "chat_template.jinja",
)
PROCESSOR = (PREPROCESSOR_JSON, "processor_config.json")
MODEL = (CONFIG_JSON, GENERATION_JSON)
SIDE_FILES = (*MODEL, *PROCESSOR, *TOKENIZER)


def side_files(directory: Path) -> list[Path]:
    """Return what a directory holds beside weights, in the order of names."""
    return _named(directory, SIDE_FILES)


def has_tokenizer(files: Sequence[Path]) -> bool:
    """Return whether there is a vocabulary among files."""
    return any(file.name in VOCABULARY for file in files)


def borrowed(directories: Sequence[Path]) -> list[Path]:
    """Return the side files of the first directory, with what it lacks from others.

    That is a tokenizer, whose files stay together, and what says how audio is prepared.
    """
    files = side_files(directories[0])
    for group, marks in ((TOKENIZER, VOCABULARY), (PROCESSOR, PROCESSOR)):
        if any(file.name in marks for file in files):
            continue
        lenders = (other for other in directories[1:] if _named(other, marks))
        lender = next(lenders, directories[0])
        files = [file for file in files if file.name not in group]
        files += _named(lender, group)
    return files


def _named(directory: Path, names: Sequence[str]) -> list[Path]:
    return [directory / name for name in sorted(names) if (directory / name).is_file()]
