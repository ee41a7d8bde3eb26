"""The shard of a job in an array: part i of n."""

import re
from typing import NamedTuple

from espnet_merge.errors import InputError


class Shard(NamedTuple):
    """Part ``number`` of ``total``, counted from 1 as job arrays are."""

    number: int
    total: int


def parse_shard(text: str) -> Shard:
    """Return the shard that ``i/n`` names.

    Raises:
        InputError: it is not of this form, or i is not in 1..n.
    """
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    shard = Shard(int(match[1]), int(match[2])) if match else Shard(0, 0)
    if not 1 <= shard.number <= shard.total:
        raise InputError(
            f"--shard takes i/n with i from 1 to n, got {text!r}; write 1/4."
        )
    return shard
