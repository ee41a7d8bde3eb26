"""Random numbers that depend on where they are used and on nothing else."""

import hashlib

from espnet_merge.arrays import Array, UInt32
from espnet_merge.methods._base import TensorInfo

# Philox makes four words of 64 bits, thus eight of 32, at each value of its counter.
BLOCK = 8


def random_bits(
    seed: int, info: TensorInfo, expert: int, size: int
) -> UInt32[Array, " size"]:
    """Return ``size`` uniform integers of 32 bits for the entries at ``info``.

    They are a function of the seed, the number of the expert, the name of the tensor
    and the index of the entry. Order, chunks and workers do not change a bit.
    """
    import numpy as np

    text = f"{seed} {expert} {info.name}".encode()
    key = np.frombuffer(hashlib.sha256(text).digest()[:16], "<u8")
    block, skip = divmod(info.start, BLOCK)
    generator = np.random.Philox(key=key)
    generator.advance(block)
    words = generator.random_raw((skip + size + 1) // 2)
    return words.astype("<u8", copy=False).view("<u4")[skip : skip + size]
