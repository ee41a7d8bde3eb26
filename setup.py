"""Tell tools that still look for this file that pyproject.toml has all of it."""

import sys

sys.exit("setup.py: pyproject.toml builds the package; run 'pip install .' instead.")
