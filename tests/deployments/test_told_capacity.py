"""What `chatterbox-serve serve` prints of the machine's speed once the server is ready."""

import pytest

from app.core import Health, HealthStatus
from app.errors import Unavailable
from deployments.cli import _told_capacity
from tests.support.api_clients import serving
from tests.support.fakes import FakeSynthesizer


@pytest.mark.parametrize(
    ("capacity", "words"),
    [(3, "capacity is 3"), (0, "slower than real time"), (None, "not measured")],
)
def test_the_start_tells_how_many_streams_the_machine_bears(capacity, words):
    synthesizer = FakeSynthesizer()
    synthesizer.health_now = Health(HealthStatus.OK, capacity=capacity)
    with serving(synthesizer) as url:
        assert words in _told_capacity(url)


def test_a_server_whose_registry_is_away_is_not_measured():
    class Away(FakeSynthesizer):
        async def health(self):
            raise Unavailable("The cancel registry does not answer.")

    with serving(Away()) as url:
        assert "not measured" in _told_capacity(url)


def test_a_server_that_does_not_answer_is_not_measured():
    assert "not measured" in _told_capacity("http://127.0.0.1:1")
