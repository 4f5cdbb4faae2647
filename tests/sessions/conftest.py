"""The live sessions of one process, over a registry that grants every claim."""

import pytest

from app.config import Limits
from app.sessions.live import LiveSessions
from tests.support.live_sessions import Client


@pytest.fixture
def client():
    return Client()


@pytest.fixture
def sessions(client):
    return LiveSessions(client, Limits())
