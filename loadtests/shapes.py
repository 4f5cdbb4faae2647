"""The number of callers over a run, and the times at which the requests of an open loop are due.

A level gives the number of callers at a time of the run, and None when the run is over. Knows
nothing about Locust or servers.
"""

import random
import threading
import time
from collections.abc import Callable, Sequence

Level = Callable[[float], int | None]  # its argument: seconds since the start

BURST_EVERY_S = 20.0
BURST_S = 8.0


def steady(num_callers: int, seconds: float) -> Level:
    return lambda at_s: num_callers if at_s < seconds else None


def ramp(num_callers: int, seconds: float) -> Level:
    """From one caller to all, at a constant rate."""
    return lambda at_s: 1 + int(num_callers * at_s / seconds) if at_s < seconds else None


def burst(num_callers: int, seconds: float) -> Level:
    """A quarter of the callers, and all of them for the last BURST_S of every BURST_EVERY_S."""
    few = max(1, num_callers // 4)

    def level(at_s: float) -> int | None:
        if at_s >= seconds:
            return None
        return num_callers if at_s % BURST_EVERY_S >= BURST_EVERY_S - BURST_S else few

    return level


def poisson_arrivals(rate_per_s: float, seconds: float, rng: random.Random) -> list[float]:
    """The times at which requests are due, in seconds from the start."""
    arrivals, at_s = [], rng.expovariate(rate_per_s)
    while at_s < seconds:
        arrivals.append(at_s)
        at_s += rng.expovariate(rate_per_s)
    return arrivals


def sleep_until(at_s: float) -> None:
    """Returns at `at_s` or later. The sleep of a greenlet may end too early: its timer counts from
    the moment when the greenlet last ran."""
    while (left_s := at_s - time.monotonic()) > 0:
        time.sleep(left_s)


def open_loop(
    arrivals_s: Sequence[float], speak: Callable[[int, float], None], most_open: int
) -> None:
    """Calls `speak(number, intended_s)` for each arrival when it is due, also while earlier calls
    run. Returns when all calls have ended. At most `most_open` calls run at the same time. The
    others wait. Their wait counts as delay, because `intended_s` does not change."""
    room = threading.Semaphore(most_open)
    begun_s = time.monotonic()

    def one(number: int, intended_s: float) -> None:
        with room:
            speak(number, intended_s)

    threads = []
    for number, at_s in enumerate(arrivals_s):
        intended_s = begun_s + at_s
        sleep_until(intended_s)
        threads.append(threading.Thread(target=one, args=(number, intended_s), daemon=True))
        threads[-1].start()
    for thread in threads:
        thread.join()
