"""Read every byte of the inputs by memory map, and write one output: no merge is less.

run_floor.py OUTPUT BASE EXPERT…
"""

import sys
from pathlib import Path

import numpy as np

BLOCK = 1 << 23


def main(output: Path, *inputs: Path) -> None:
    files = [path / "model.safetensors" for path in inputs]
    for file in files:
        content = np.memmap(file, np.uint8, "r")
        np.bitwise_xor.reduce(content[: content.size // 8 * 8].view(np.uint64))
    output.mkdir()
    content = np.memmap(files[-1], np.uint8, "r")
    with (output / files[-1].name).open("wb") as file:
        for start in range(0, content.size, BLOCK):
            file.write(content[start : start + BLOCK].data)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
