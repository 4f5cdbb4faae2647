"""When a socket has been idle for too long."""

from app.api.idle_clock import IdleClock
from tests.support.clock import Clock


def test_the_time_runs_from_the_last_use():
    clock = Clock()
    idle = IdleClock(60, clock)
    clock.now += 50
    assert idle.left_s(is_idle=True) == 10
    idle.use()
    assert idle.left_s(is_idle=True) == 60
    clock.now += 61
    assert idle.left_s(is_idle=True) == 0


def test_a_socket_that_speaks_is_in_use():
    clock = Clock()
    idle = IdleClock(60, clock)
    clock.now += 300
    assert idle.left_s(is_idle=False) == 60
    clock.now += 59
    assert idle.left_s(is_idle=True) == 1
