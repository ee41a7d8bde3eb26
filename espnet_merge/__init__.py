"""One speech model out of many experts: merge, route or train jointly."""

from espnet_merge.version import __version__ as __version__
