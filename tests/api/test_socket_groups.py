"""A context and a whole socket, stopped and reported by their ids from another connection."""

from contextlib import asynccontextmanager

import httpx
import pytest
import websockets

from app.config import Limits
from tests.support.api_clients import serving
from tests.support.eventually import eventually
from tests.support.live_synthesizer import LiveSynthesizer
from tests.support.speech_sockets import Client

WAIT_S = 30
LONG_ID = "s" * 64
LIMITS = Limits()


@pytest.fixture
def synthesizer():
    return LiveSynthesizer(num_chunks=10_000, chunk_s=0.01)


@asynccontextmanager
async def talking(synthesizer, contexts=("a",), socket_id="red"):
    """A socket whose contexts speak, and a client on other connections."""
    with serving(synthesizer, LIMITS) as url:
        address = f"{url.replace('http', 'ws')}/v1/audio/speech/stream"
        headers = {"X-Request-ID": socket_id}
        async with (
            websockets.connect(address, additional_headers=headers) as socket,
            httpx.AsyncClient(base_url=url, timeout=WAIT_S) as http,
        ):
            talker = Client(socket)
            for context_id in contexts:
                await talker.start(context_id)
                await talker.send("text", context_id, text="Hello there. And a second sentence. ")
                await talker.send("flush", context_id)
            for context_id in contexts:
                await talker.until("audio", context_id=context_id)
            yield talker, http


async def report_of(http, session_id):
    answer = await http.get(f"/v1/sessions/{session_id}")
    return answer.json() if answer.status_code == 200 else None


async def test_a_context_is_stopped_by_its_id_with_all_its_takes(synthesizer):
    async with talking(synthesizer) as (talker, http):
        assert (await report_of(http, "red-0"))["finish"] is None
        stopped = await http.post("/cancel/red-0")
        assert stopped.status_code in (200, 202)
        assert stopped.json()["session_id"] == "red-0"
        done = (await talker.until("done"))[-1]
        assert done["finish_reason"] == "cancelled"
        assert [report.session_id for report in synthesizer.reports()] == ["red-0-0"]
        await eventually(lambda: ended(http, "red-0"), WAIT_S, "the context's end is told")
        report = await report_of(http, "red-0")
        assert (report["finish"], report["cause"]) == ("cancelled", "cancel")
        assert report["audio_sent_ms"] > 0
        await talker.start("next")  # the socket lives on
        await talker.until("started", context_id="next")


async def ended(http, session_id):
    return (await report_of(http, session_id))["finish"]


async def test_a_context_is_told_its_id_which_a_browser_cannot_know_otherwise(synthesizer):
    async with talking(synthesizer, contexts=()) as (talker, http):
        for context in ("a", "b"):
            await talker.start(context)
        told = [await talker.until("started", context_id=each) for each in ("a", "b")]
        assert [messages[-1]["session_id"] for messages in told] == ["red-0", "red-1"]
        assert (await http.post("/cancel/red-1")).status_code in (200, 202)


async def test_a_context_that_waits_for_text_is_stopped_too(synthesizer):
    synthesizer.num_chunks = 1
    async with talking(synthesizer) as (talker, http):
        await talker.until("flushed")
        await http.post("/cancel/red-0")
        assert (await talker.until("done"))[-1]["finish_reason"] == "cancelled"


async def test_a_socket_is_stopped_by_its_id_with_all_its_contexts(synthesizer):
    async with talking(synthesizer, contexts=("a", "b")) as (talker, http):
        await http.post("/cancel/red")
        with pytest.raises(websockets.ConnectionClosedOK) as closed:
            await talker.until("nothing")
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1000, "cancelled")
        await eventually(lambda: ended(http, "red"), WAIT_S, "the socket's end is told")
        ids = [f"red-{context}{take}" for context in (0, 1) for take in ("", "-0")]
        for session_id in ("red", *ids):
            assert await ended(http, session_id) == "cancelled", session_id
        report = await report_of(http, "red")
        parts = [(await report_of(http, each))["audio_sent_ms"] for each in ("red-0", "red-1")]
        assert report["audio_sent_ms"] == pytest.approx(sum(parts), abs=1)


async def test_a_context_that_ends_by_itself_has_a_report(synthesizer):
    synthesizer.num_chunks = 3
    async with talking(synthesizer) as (talker, http):
        await talker.send("close", "a")
        await talker.until("done")
        await eventually(lambda: ended(http, "red-0"), WAIT_S, "the context's end is told")
        report = await report_of(http, "red-0")
        assert (report["finish"], report["cause"]) == ("stop", "finished")


@pytest.mark.parametrize("session_id", ["red-0", "red-0-0"])
async def test_no_leg_of_a_report_is_negative(synthesizer, session_id):
    """The id of a context is taken before its first text comes."""
    synthesizer.num_chunks = 3
    async with talking(synthesizer, contexts=()) as (talker, http):
        await talker.start("a")
        await talker.until("started")
        await eventually(lambda: report_of(http, "red-0"), WAIT_S, "the id is taken")
        await talker.send("text", "a", text="Hello there. ")
        await talker.send("close", "a")
        await talker.until("done")
        await eventually(lambda: ended(http, session_id), WAIT_S, "the end is told")
        legs_ms = (await report_of(http, session_id))["legs_ms"]
        assert legs_ms.keys() >= {"first_audio", "whole"}
        assert min(legs_ms.values()) >= 0, legs_ms


async def test_the_ids_of_a_socket_with_the_longest_id_are_accepted(synthesizer):
    async with talking(synthesizer, socket_id=LONG_ID) as (talker, http):
        assert await report_of(http, f"{LONG_ID}-0-0") is not None
        assert (await http.post(f"/cancel/{LONG_ID}-0-0")).status_code in (200, 202)
        assert (await talker.until("done"))[-1]["finish_reason"] == "cancelled"


@pytest.mark.parametrize("session_id", ["s" * 97, "a.b", "%20"])
async def test_any_other_id_is_refused(synthesizer, session_id):
    async with talking(synthesizer) as (_, http):
        for answer in (
            await http.post(f"/cancel/{session_id}"),
            await http.get(f"/v1/sessions/{session_id}"),
        ):
            assert (answer.status_code, answer.json()["error"]["param"]) == (400, "session_id")
