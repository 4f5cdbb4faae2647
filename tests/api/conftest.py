"""What the tests of the HTTP interface share."""

import pytest

from tests.support.fakes import FakeSynthesizer


@pytest.fixture
def synthesizer():
    return FakeSynthesizer()


@pytest.fixture
def folder(tmp_path):
    """Of a voice library."""
    return tmp_path / "library"
