"""Warnings are judged alike in tests and in doctests: see tests/warned.py."""

from tests.warned import pytest_collection, pytest_runtest_protocol

__all__ = ["pytest_collection", "pytest_runtest_protocol"]
