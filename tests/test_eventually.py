"""A wait returns what it waited for, or says what did not come."""

from collections.abc import Callable, Iterator

import pytest

from tests.support.eventually import eventually, eventually_sync


def answers(*values: object) -> Callable[[], object]:
    coming: Iterator[object] = iter(values)
    return lambda: next(coming)


async def test_eventually_returns_the_first_true_value():
    assert await eventually(answers(0, None, 3, 4), 5, "a number") == 3
    assert eventually_sync(answers(0, None, 3, 4), 5, "a number") == 3


async def test_eventually_awaits_an_async_predicate():
    answer = answers(False, "here")

    async def predicate() -> object:
        return answer()

    assert await eventually(predicate, 5, "an answer") == "here"


@pytest.mark.parametrize("within_s", [0.0, 0.05])
async def test_eventually_fails_with_what_it_waited_for_and_the_last_value(within_s):
    told = rf"not within {within_s:g} s: the moon; last value: \[\]"
    with pytest.raises(AssertionError, match=told):
        await eventually(list, within_s, "the moon")
    with pytest.raises(AssertionError, match=told):
        eventually_sync(list, within_s, "the moon")


async def test_eventually_asks_once_where_no_time_is_left():
    assert await eventually(lambda: 1, -1.0, "one") == 1
