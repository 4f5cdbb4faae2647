"""A handle's stream as its owner sees it, through real replicas: ended, left, refused, failed; and
as a stage gives it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import NamedTuple

import pytest
from ray import serve
from ray.exceptions import ActorUnavailableError, OwnerDiedError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError

from app.core import FinishReason, SessionKey
from app.errors import NotFound, Overloaded, SynthesisFailed, Unavailable
from app.sessions.leases import Leases
from deployments.streams import held, owned, translated


class Source:
    """Counts up to `upto`, or, without it, to 0 and holds."""

    def __init__(self) -> None:
        self.num_open = 0

    async def count(self, upto: int | None, fault: Exception | None = None):
        self.num_open += 1
        try:
            for i in range(1 if upto is None else upto):
                yield i
            if upto is None:
                await asyncio.Event().wait()
            if fault is not None:
                raise fault
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
    return owned(source.options(method_name="count", stream=True).remote(*args))


async def num_open(source) -> int | None:
    """None: the queue is still full."""
    try:
        return await source.opened.remote()
    except BackPressureError:
        return None


async def test_items_arrive_in_order(source):
    assert [item async for item in stream(source, 5)] == [0, 1, 2, 3, 4]


async def test_a_refusal_crosses_processes_with_its_class_field_and_code(source):
    refusal = NotFound("there is no voice 'x'", param="voice", code="voice_not_found")
    with pytest.raises(NotFound) as caught:
        [item async for item in stream(source, 2, refusal)]
    fault = caught.value
    assert (type(fault), fault.message, fault.param, fault.code) == (
        NotFound,
        "there is no voice 'x'",
        "voice",
        "voice_not_found",
    )


async def test_another_fault_is_told_without_its_internals(source):
    with pytest.raises(SynthesisFailed, match="a stage failed"):
        [item async for item in stream(source, 1, ZeroDivisionError("secret"))]


async def test_beyond_the_queue_is_an_overload_and_leaving_frees_every_place(source):
    running = []
    for _ in range(2):  # one by one: what is on its way to a replica counts as queued
        running.append(stream(source, None))
        assert await anext(running[-1]) == 0
    queued, refused = stream(source, None), stream(source, None)
    waiting = asyncio.ensure_future(anext(queued))
    with pytest.raises(Overloaded):
        await anext(refused)
    waiting.cancel()
    await asyncio.wait({waiting})
    for each in running:
        await each.aclose()
    while await num_open(source) != 0:
        await asyncio.sleep(0.01)
    assert await counted_once_there_is_room(source) == [0, 1, 2]


async def counted_once_there_is_room(source) -> list[int]:
    """A place in the queue falls free a moment after its owner has left."""
    while True:
        try:
            return [item async for item in stream(source, 3)]
        except Overloaded:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("fault", "ours"),
    [
        (BackPressureError(num_queued_requests=1, max_queued_requests=1), Overloaded),
        (DeploymentUnavailableError("T3"), Unavailable),
        (ActorUnavailableError("away", b"0" * 16), SynthesisFailed),
        (OwnerDiedError("00" * 28, b"", ""), SynthesisFailed),
    ],
)
def test_what_ray_says_has_one_meaning_for_us(fault, ours):
    assert type(translated(fault)) is ours


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
async def test_a_stage_hears_of_a_consumer_that_leaves_before_the_end(finishes, num_heard, leaves):
    leases, left = Leases(), list[SessionKey]()
    async with aclosing(held(parts(*finishes), KEY, leases, left.append)) as stream:
        for _ in range(num_heard):
            await anext(stream)
        assert leases.keys() == {KEY}
    assert left == ([KEY] if leaves else [])
    assert not leases.keys()
