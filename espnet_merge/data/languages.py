"""The languages of utterances, as ``utt2lang`` names them."""

from pathlib import Path

from espnet_merge.data.table import read_table
from espnet_merge.speech import code_of


def read_languages(path: Path) -> dict[str, str]:
    """Return ``utt2lang`` with Whisper's codes; unknown languages are left unchanged.

    Raises:
        InputError: the table is broken.
    """
    table = read_table(path)
    codes = {value: code_of(value) or value for value in set(table.values())}
    return {name: codes[value] for name, value in table.items()}
