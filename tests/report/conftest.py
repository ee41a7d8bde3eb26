import pytest

from tests.report.fake import RATES, write_exp


@pytest.fixture
def exp(tmp_path):
    write_exp(tmp_path, RATES, "padded")
    return tmp_path
