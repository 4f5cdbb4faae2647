"""Fixtures of several tests of the token engine."""

import pytest

from app.engine.t3 import engine


@pytest.fixture
def all_prompts_at_once(monkeypatch):
    """As on a GPU: prompts that arrive together are computed in one step."""
    monkeypatch.setitem(engine._UNKNOWN_COST, "cpu", engine._UNKNOWN_COST["cuda"])
