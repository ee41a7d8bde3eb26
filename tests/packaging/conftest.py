import pytest

from tests.packaging import clean


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The sdist and the wheel."""
    return clean.build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def environment(built, tmp_path_factory):
    return clean.Environment(tmp_path_factory.mktemp("venv"), built[1])
