import pytest

from app.hearing.incoming_pace import IncomingPace
from tests.support.clock import Clock


@pytest.fixture
def clock():
    return Clock()


def test_sound_that_comes_as_it_is_spoken_is_not_ahead(clock):
    pace = IncomingPace(clock)
    for _ in range(50):
        clock.now += 0.02
        pace.came(0.02)
    assert pace.ahead_s == pytest.approx(0.02)


def test_ten_times_real_time_is_ahead(clock):
    pace = IncomingPace(clock)
    for _ in range(50):
        clock.now += 0.02
        pace.came(0.2)
    assert pace.ahead_s == pytest.approx(50 * 0.18, abs=0.1)


def test_a_pause_is_no_credit_for_later(clock):
    pace = IncomingPace(clock)
    clock.now += 3600
    pace.came(5.0)
    assert pace.ahead_s == 5.0
    clock.now += 2
    assert pace.ahead_s == 3.0
