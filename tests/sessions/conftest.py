"""A clock, and the live sessions of one process over a registry that grants every claim."""

import pytest

from app.config import Limits
from app.sessions.live import LiveSessions
from tests.support.clock import Clock
from tests.support.live_sessions import Client


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client():
    return Client()


@pytest.fixture
def sessions(client):
    return LiveSessions(client, Limits())
