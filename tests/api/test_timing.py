"""The timing in events and the legs of the session report are one account."""

import pytest

from app.sessions.timeline import all_legs
from tests.support.api_clients import events_of, in_process, speech
from tests.support.live_synthesizer import LiveSynthesizer
from tests.support.speech_sockets import connected


async def done_and_report(synthesizer, **changes):
    """The done event of a stream, and the report of its session."""
    body = speech(response_format="pcm", stream_format="sse", **changes)
    async with in_process(synthesizer) as client:
        answer = await client.post("/v1/audio/speech", json=body, headers={"X-Request-ID": "timed"})
        report = (await client.get("/v1/sessions/timed")).json()
    return events_of(answer.text)[-1], report


@pytest.mark.parametrize("num_chunks", [1, 3])
async def test_the_done_event_and_the_session_report_agree(num_chunks):
    done, report = await done_and_report(LiveSynthesizer(num_chunks, chunk_s=0.02))
    timing, legs = done["timing"], report["legs_ms"]
    assert timing == {
        "first_audio_ms": legs["first_audio"],
        "total_ms": legs["whole"],
        "audio_ms": report["audio_sent_ms"],
    }
    assert timing["audio_ms"] == num_chunks * 200.0
    assert timing["first_audio_ms"] >= 20  # the time that the first chunk takes to make
    assert timing["total_ms"] >= num_chunks * 20


async def test_the_done_event_counts_the_sound_as_it_is_heard():
    changes = {"speed": 2.0, "input": "Hello there.[pause:1s]"}
    done, report = await done_and_report(LiveSynthesizer(), **changes)
    assert done["timing"]["audio_ms"] == pytest.approx((600 + 1000) / 2, abs=50)
    assert report["audio_sent_ms"] == 600.0
    assert done["timing"]["first_audio_ms"] == report["legs_ms"]["first_audio"]


async def test_the_timing_of_a_context_begins_with_its_first_text():
    synthesizer = LiveSynthesizer()
    async with connected(synthesizer) as client:
        await client.start()
        await client.send("text", "c", text="Hello there.")
        await client.send("close", "c")
        done = (await client.until("done"))[-1]
    (report,) = synthesizer.reports()
    timing, legs = done["timing"], all_legs(report.marks)
    assert timing["audio_ms"] == report.audio_sent_ms == 600.0
    assert timing["first_audio_ms"] >= legs["first_audio"]
    sending_ms = timing["total_ms"] - timing["first_audio_ms"]
    assert sending_ms == pytest.approx(legs["whole"] - legs["first_audio"], abs=0.01)
