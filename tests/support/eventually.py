"""Waits that have a bound and say what they waited for."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
LOOK_EVERY_S = 0.02


async def eventually(
    predicate: Callable[[], T | Awaitable[T]],
    within_s: float,
    what: str,
    *,
    every_s: float = LOOK_EVERY_S,
) -> T:
    """The first true value of `predicate`, which is called at least once. Raises AssertionError
    with `what` and the last value when `within_s` seconds are over."""
    give_up_s = time.monotonic() + within_s
    while True:
        value = predicate()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        _give_up(give_up_s, within_s, what, value)
        await asyncio.sleep(every_s)


def eventually_sync(
    predicate: Callable[[], T], within_s: float, what: str, *, every_s: float = LOOK_EVERY_S
) -> T:
    """As `eventually`, for a test without an event loop."""
    give_up_s = time.monotonic() + within_s
    while not (value := predicate()):
        _give_up(give_up_s, within_s, what, value)
        time.sleep(every_s)
    return value


def _give_up(give_up_s: float, within_s: float, what: str, value: object) -> None:
    if time.monotonic() > give_up_s:
        raise AssertionError(f"not within {within_s:g} s: {what}; last value: {value!r}")
