"""Tell tools that still look for this file that pyproject.toml has all of it."""

import sys

sys.exit("setup.py: the package is built by pyproject.toml; run 'pip install .' instead.")
