"""Whisper's tokenizer, built from the byte pairs of a ``tokenizer.json``."""

from typing import Any

from transformers import WhisperTokenizer

from espnet_merge.errors import InputError
from espnet_merge.speech import LANGUAGES, TRANSCRIBE, TRANSLATE

# In every Whisper vocabulary single bytes and byte pairs come first, then special
# tokens, then timestamps.
_BYTES = 256
TEXT_TOKENS = 50257
_TIMESTAMPS = 1501
_MARKS = ("startoflm", "startofprev", "nospeech", "notimestamps")
TASKS_AND_MARKS = (TRANSLATE, TRANSCRIBE, *_MARKS)


def build_tokenizer(source: dict[str, Any], vocabulary: int) -> WhisperTokenizer:
    """Return Whisper's tokenizer from the byte pairs of a ``tokenizer.json``.

    The special tokens are built here, because converted files list different ones.

    Raises:
        InputError: the byte pairs are not Whisper's.
    """
    model = source["model"]
    pairs = [tuple(m.split(" ") if isinstance(m, str) else m) for m in model["merges"]]
    vocab = {t: i for t, i in model["vocab"].items() if i < TEXT_TOKENS}
    # Some converters take the first merge for a header and drop it: " t" is then never
    # one token, and every word that begins with it is split into more tokens.
    first = next((t for t, i in vocab.items() if i == _BYTES), "")
    if pairs[0] != tuple(first):
        pairs.insert(0, tuple(first))
    if [vocab.get(a + b) for a, b in pairs] != list(range(_BYTES, _BYTES + len(pairs))):
        raise InputError("tokenizer.json: every merge must make the next token.")
    languages = list(LANGUAGES)[: vocabulary - TEXT_TOKENS - _TIMESTAMPS - 8]
    names = ["endoftext", "startoftranscript", *languages, *TASKS_AND_MARKS]
    special = [f"<|{name}|>" for name in names]
    tokenizer = WhisperTokenizer(
        vocab=vocab,
        merges=pairs,
        pad_token="<|endoftext|>",
        extra_special_tokens=special,
    )
    tokenizer.add_tokens([f"<|{0.02 * i:.2f}|>" for i in range(_TIMESTAMPS)])
    return tokenizer
