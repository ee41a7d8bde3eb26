"""One speech model out of many experts: merge, route or train jointly."""

__version__ = "0.1.0"
