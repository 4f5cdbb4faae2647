"""A body that must come in time: its clock, and the place that it holds."""

import asyncio
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from app.api.paced_body import GRACE_S, BodyClock, PacedBody
from app.config import Limits
from app.errors import SlowBody
from tests.support.clock import Clock

CHUNKED = Headers({"transfer-encoding": "chunked"})


def test_a_body_that_stops_is_late_after_the_grace():
    clock = Clock()
    body = BodyClock(Limits(), clock)
    assert body.left_s(0) == GRACE_S
    clock.now += GRACE_S
    assert body.left_s(0) == 0
    assert body.left_s(500) == pytest.approx(0.5)  # 1000 bytes in a second


def test_no_body_takes_longer_than_its_limit():
    clock = Clock()
    body = BodyClock(Limits(body_s=20), clock)
    clock.now += 19
    assert body.left_s(10**9) == pytest.approx(1)


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 20_000)), max_size=100))
def test_a_body_is_late_exactly_where_it_is_below_its_rate(parts):
    clock, limits = Clock(), Limits()
    body, start_s, num_bytes = BodyClock(limits, clock), clock.now, 0
    for gap_s, size in parts:
        clock.now += gap_s
        took_s = clock.now - start_s
        is_late = took_s > limits.body_s or took_s - GRACE_S > num_bytes / limits.body_bytes_per_s
        left_s = body.left_s(num_bytes)
        assert abs(left_s) < 1e-6 or (left_s < 0) is is_late
        num_bytes += size


class Sender:
    """The `receive` of a server, which has these messages."""

    def __init__(self, *parts):
        self.parts = list(parts)

    async def __call__(self):
        body = self.parts.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(self.parts)}


@contextmanager
def place(events):
    events.append("taken")
    yield
    events.append("free")


async def test_a_body_holds_its_place_until_its_last_byte():
    events = []
    body = PacedBody(CHUNKED, Sender(b"a", b"bb"), Limits())
    body.hold(place(events), events.append)
    await body()
    assert (events, body.is_whole) == (["taken", 1], False)
    await body()
    assert (events, body.is_whole) == (["taken", 1, 2, "free"], True)
    body.let_go()
    assert events == ["taken", 1, 2, "free"]


async def test_a_client_that_leaves_frees_the_place():
    events = []

    async def left():
        return {"type": "http.disconnect"}

    body = PacedBody(CHUNKED, left, Limits())
    body.hold(place(events), events.append)
    await body()
    assert events == ["taken", "free"]


@pytest.mark.parametrize("headers", [{}, {"content-length": "0"}, {"content-length": " 0 "}])
def test_a_request_without_a_body_holds_no_place(headers):
    events = []
    body = PacedBody(Headers(headers), Sender(b""), Limits())
    body.hold(place(events), events.append)
    assert events == []
    assert body.is_whole


@pytest.mark.parametrize("limits", [Limits(body_s=0.05), Limits(body_bytes_per_s=1e9)])
async def test_a_slow_body_is_an_error_that_names_the_settings(limits, monkeypatch):
    monkeypatch.setattr("app.api.paced_body.GRACE_S", 0.05)

    async def never():
        await asyncio.Event().wait()

    body = PacedBody(CHUNKED, never, limits)
    with pytest.raises(SlowBody, match=r"limits\.body_s .*limits\.body_bytes_per_s") as refused:
        await body()
    assert refused.value.status == 408


async def test_the_wait_after_a_whole_body_has_no_limit(monkeypatch):
    monkeypatch.setattr("app.api.paced_body.GRACE_S", 0.0)
    left = asyncio.Event()

    async def receive():
        if not left.is_set():
            left.set()
            return {"type": "http.request", "body": b"all", "more_body": False}
        await asyncio.sleep(0.05)
        return {"type": "http.disconnect"}

    body = PacedBody(CHUNKED, receive, Limits(body_s=0.01))
    await body()
    assert (await body())["type"] == "http.disconnect"
