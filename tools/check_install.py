#!/usr/bin/env python3
"""Check the installation without the command: any Python, any directory."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from espnet_merge.__main__ import main

if __name__ == "__main__":
    main(["doctor", *sys.argv[1:]])
