"""The version, apart from the package's face, which imports from every room."""

__version__ = "0.1.0"
