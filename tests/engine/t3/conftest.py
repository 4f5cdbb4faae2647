"""What several of the token engine's tests stand on."""

import pytest

from app.engine.t3 import engine


@pytest.fixture
def all_begin_together(monkeypatch):
    """As on a GPU: whoever comes in one moment has its prompt computed in one step."""
    monkeypatch.setitem(engine._FREE_TOKENS, "cpu", engine._FREE_TOKENS["cuda"])
