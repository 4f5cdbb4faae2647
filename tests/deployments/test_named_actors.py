"""What a caller is told when an actor does not answer as it should."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from ray.exceptions import ActorDiedError, RayTaskError

from app.errors import RateLimited, Unavailable
from deployments.named_actors import answer


def failing(error: BaseException) -> Callable[[], Awaitable[None]]:
    async def call() -> None:
        raise error

    return call


def raised_inside(error: Exception) -> RayTaskError:
    """As Ray raises the error of an actor's method at its caller."""
    told: RayTaskError = RayTaskError("health", "traceback", error).as_instanceof_cause()
    return told


async def test_the_answer_is_what_the_method_returns():
    async def call() -> int:
        return 5

    assert await answer(call, "cancel registry") == 5


@pytest.mark.parametrize("error", [ActorDiedError(), TimeoutError()])
async def test_an_actor_that_is_gone_is_unavailable(error):
    with pytest.raises(Unavailable, match="The cancel registry does not answer"):
        await answer(failing(error), "cancel registry")


async def test_an_actor_that_hangs_is_unavailable():
    with pytest.raises(Unavailable, match="The cancel registry does not answer"):
        await answer(asyncio.Event().wait, "cancel registry", within_s=0.01)


@pytest.mark.parametrize("error", [KeyError("key"), RuntimeError("broken"), ValueError()])
async def test_a_method_that_fails_is_unavailable_and_logged(error, caplog):
    with pytest.raises(Unavailable, match="The cancel registry failed") as told:
        await answer(failing(raised_inside(error)), "cancel registry")
    assert told.value.status == 503
    assert f"The cancel registry failed: {error!r}" in caplog.text


async def test_an_error_for_the_caller_passes():
    with pytest.raises(RateLimited) as told:
        await answer(failing(raised_inside(RateLimited("max_concurrent", 1))), "usage counter")
    assert told.value.param == "max_concurrent"
