"""A handle's stream through real replicas, as its owner sees it: ended, left, refused, failed and
opened once more. And as a stage gives it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import NamedTuple

import pytest
from ray import serve
from ray.exceptions import ActorUnavailableError, OwnerDiedError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError

from app.core import FinishReason, SessionKey
from app.errors import NotFound, Overloaded, ServeError, SynthesisFailed, Unavailable
from app.sessions.leases import Leases
from deployments.streams import held, owned, translated
from tests.support.eventually import eventually

FREE_WITHIN_S = 30


class Source:
    """Counts to `upto`; where that is None, gives 0 and then waits."""

    def __init__(self) -> None:
        self.num_open = 0

    async def count(self, upto: int | None, error: Exception | None = None):
        self.num_open += 1
        try:
            for i in range(1 if upto is None else upto):
                yield i
            if upto is None:
                await asyncio.Event().wait()
            if error is not None:
                raise error
        finally:
            self.num_open -= 1

    async def opened(self) -> int:
        return self.num_open


@pytest.fixture(scope="module")
def source(cluster):
    options = {"num_cpus": 0.1}
    deployment = serve.deployment(Source).options(
        max_ongoing_requests=2, max_queued_requests=1, ray_actor_options=options
    )
    yield serve.run(deployment.bind(), name="streams", route_prefix=None)
    serve.delete("streams")


def stream(source, *args):
    return owned(lambda: source.options(method_name="count", stream=True).remote(*args))


async def test_items_arrive_in_order(source):
    assert [item async for item in stream(source, 5)] == [0, 1, 2, 3, 4]


async def test_an_error_crosses_processes_with_its_class_param_and_code(source):
    refusal = NotFound("there is no voice 'x'", param="voice", code="voice_not_found")
    with pytest.raises(NotFound) as caught:
        [item async for item in stream(source, 2, refusal)]
    error = caught.value
    assert (type(error), error.message, error.param, error.code) == (
        NotFound,
        "there is no voice 'x'",
        "voice",
        "voice_not_found",
    )


async def test_an_error_of_another_class_keeps_its_message_inside(source):
    with pytest.raises(SynthesisFailed) as caught:
        [item async for item in stream(source, 1, ZeroDivisionError("secret"))]
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("num_failures", [1, 2])
async def test_a_stream_that_fails_before_its_first_item_is_opened_once_more(source, num_failures):
    gone = NotFound("gone")
    errors, told = [gone] * num_failures + [None], []

    def open_stream():
        error = errors.pop(0)
        upto = 0 if error is not None else 3
        return source.options(method_name="count", stream=True).remote(upto, error)

    async def before_retry(error: ServeError) -> None:
        told.append(error.message)

    if num_failures == 1:
        assert [item async for item in owned(open_stream, before_retry)] == [0, 1, 2]
    else:
        with pytest.raises(NotFound):
            [item async for item in owned(open_stream, before_retry)]
    assert told == ["gone"]


async def test_a_stream_that_fails_after_its_first_item_is_not_opened_again(source):
    async def before_retry(error: ServeError) -> None:
        raise AssertionError(error)

    call = source.options(method_name="count", stream=True)
    with pytest.raises(NotFound):
        [item async for item in owned(lambda: call.remote(1, NotFound("gone")), before_retry)]


async def test_an_owned_stream_that_is_never_read_is_never_opened(source):
    def open_stream():
        raise AssertionError("opened")

    await owned(open_stream).aclose()


async def test_a_stream_beyond_the_queue_is_refused_until_a_place_is_free(source):
    running = []
    for _ in range(2):  # one by one: a call on its way to a replica counts as queued
        running.append(stream(source, None))
        assert await anext(running[-1]) == 0
    queued, refused = stream(source, None), stream(source, None)
    waiting = asyncio.ensure_future(anext(queued))
    await asyncio.sleep(0)  # it is opened before the other
    with pytest.raises(Overloaded):
        await anext(refused)

    async def none_open() -> bool:
        with suppress(BackPressureError):  # the queue is still full
            return await source.opened.remote() == 0
        return False

    async def counted() -> list[int]:
        with suppress(Overloaded):  # a place is free a moment after its owner has left
            return [item async for item in stream(source, 3)]
        return []

    waiting.cancel()
    await asyncio.wait({waiting})
    for each in running:
        await each.aclose()
    await eventually(none_open, FREE_WITHIN_S, "no stream is open in the replica")
    assert await eventually(counted, FREE_WITHIN_S, "a place is free") == [0, 1, 2]


@pytest.mark.parametrize(
    ("rays", "ours"),
    [
        (BackPressureError(num_queued_requests=1, max_queued_requests=1), Overloaded),
        (DeploymentUnavailableError("T3"), Unavailable),
        (ActorUnavailableError("away", b"0" * 16), SynthesisFailed),
        (OwnerDiedError("00" * 28, b"", ""), SynthesisFailed),
    ],
)
def test_each_error_of_ray_has_one_meaning(rays, ours):
    assert type(translated(rays)) is ours


class Part(NamedTuple):
    finish: FinishReason | None = None


async def parts(*finishes: FinishReason | None) -> AsyncGenerator[Part, None]:
    for finish in finishes:
        yield Part(finish)


KEY = SessionKey("default", "a")


@pytest.mark.parametrize(
    ("finishes", "num_heard", "leaves"),
    [
        ((None, None, FinishReason.STOP), 1, True),
        ((None, FinishReason.STOP), 2, False),  # its end was heard
    ],
)
async def test_a_stage_is_told_that_a_consumer_left_before_the_end(finishes, num_heard, leaves):
    leases, left = Leases(), list[SessionKey]()
    async with aclosing(held(parts(*finishes), KEY, leases, left.append)) as stream:
        for _ in range(num_heard):
            await anext(stream)
        assert leases.keys() == {KEY}
    assert left == ([KEY] if leaves else [])
    assert not leases.keys()
