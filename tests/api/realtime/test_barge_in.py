"""A voice that interrupts a response, and what the conversation keeps of it."""

import asyncio
from dataclasses import asdict
from functools import partial

import pytest

from app.api.realtime.outbox import EventOutbox
from app.core import SAMPLE_RATE, SessionKey
from app.errors import Unavailable
from app.hearing.cancel_chain import chain_legs
from app.hearing.ears import TurnDetection
from app.word_marks import WordTime
from tests.support.eventually import eventually
from tests.support.fakes import FakeSynthesizer
from tests.support.realtime_client import kinds, realtime_client, sound

REPLY = "One two three four."
STARTS_S = (0.0, 0.05, 0.10, 0.55)  # of the words; the third one is long
TELLS = {"audio": {"input": {"transcription": {"model": "any"}}}}


class TimedSynthesizer(FakeSynthesizer):
    """0.6 s of sound, whose words have times of their own."""

    def _chunk(self, key, index, num_tokens, finish=None, marks=()):
        chunk = super()._chunk(key, index, num_tokens, finish, dict(marks))
        if index:
            return chunk
        ends = (*STARTS_S[1:], 0.6)
        times = zip(STARTS_S, ends, strict=True)
        words = [
            WordTime(0, number, round(start * SAMPLE_RATE), round(end * SAMPLE_RATE))
            for number, (start, end) in enumerate(times)
        ]
        object.__setattr__(chunk, "words", tuple(words))
        return chunk


@pytest.fixture
def synthesizer():
    return TimedSynthesizer()


@pytest.fixture
async def client(synthesizer):
    async with realtime_client(synthesizer, REPLY) as client:
        await client.update(**TELLS)
        yield client


async def speaking(client, synthesizer):
    """A response that has sent two chunks and waits. Returns its events."""
    synthesizer.hold_at = 2
    await client.send("response.create")
    events = await client.until("response.output_audio.delta")
    await eventually(synthesizer.holding.is_set, 5, "two chunks are sent")
    return events


async def test_a_voice_stops_the_response_and_is_answered_in_turn(client, synthesizer):
    ears = await client.ears()
    await speaking(client, synthesizer)
    ears.begins()
    events = await client.until("response.done")
    done = [kind for kind in kinds(events) if kind != "response.output_audio.delta"]
    at = done.index("input_audio_buffer.speech_started")
    assert done[at + 1 :][:2] == [
        "response.output_audio.done",
        "response.output_audio_transcript.done",
    ]
    response = events[-1]["response"]
    assert response["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert [how for _, how in synthesizer.ended] == ["cancelled"]
    interrupted = await client.last("response.interrupted")
    assert {"silence", "tts_ack", "llm", "recogniser_free", "listening", "chain"} <= set(
        interrupted["legs_ms"]
    )
    assert chain_legs(interrupted["marks"]) == interrupted["legs_ms"]
    assert ears.aborted == [0]
    synthesizer.hold_at = None
    ears.ends()
    ears.understands("stop")
    assert (await client.last("response.done"))["response"]["status"] == "completed"
    assert client.observer.responses == ["turn_detected", "completed"]
    assert len(client.observer.legs) == 1


async def test_the_times_of_a_barge_in_are_in_the_report_of_the_speech_and_in_the_log(
    client, synthesizer, caplog
):
    caplog.set_level("INFO", "app.api.realtime.responses")
    ears = await client.ears()
    await speaking(client, synthesizer)
    ears.begins()
    spoken = (await client.last("response.done"))["response"]
    event = await client.last("response.interrupted")
    told = {name: event[name] for name in ("response_id", "marks", "legs_ms")}
    key = SessionKey("default", spoken["session_id"])
    stored = partial(synthesizer.barge_ins.get, key.session_id)
    assert asdict(await eventually(stored, 5, "the registry has the times")) == told
    (line,) = [record for record in caplog.records if hasattr(record, "legs_ms")]
    logged = {name: getattr(line, name) for name in told}
    assert (logged, line.session) == (told, spoken["session_id"])
    assert f"chain {told['legs_ms']['chain']:.0f}" in line.getMessage()
    assert list(told["marks"].values()) == sorted(told["marks"].values())


async def test_a_barge_in_whose_times_cannot_be_kept_ends_no_session(client, synthesizer):
    refused = asyncio.Event()

    async def interrupted(key, times):
        refused.set()
        raise Unavailable("the registry does not answer")

    synthesizer.interrupted = interrupted
    ears = await client.ears()
    await speaking(client, synthesizer)
    ears.begins()
    await client.last("response.interrupted")
    await eventually(refused.is_set, 5, "the registry was asked")
    assert (await client.update(**TELLS))["type"] == "session.updated"


async def test_no_sound_follows_the_start_of_the_voice(client, synthesizer):
    ears = await client.ears()
    await speaking(client, synthesizer)
    ears.begins()
    events = await client.until("response.done")
    at = [event["type"] for event in events].index("input_audio_buffer.speech_started")
    assert not sound(events[at:])


async def test_a_voice_does_not_stop_a_response_that_may_not_be_interrupted(client, synthesizer):
    turns = {"type": "server_vad", "interrupt_response": False}
    await client.update(audio={"input": {"turn_detection": turns}})
    ears = await client.ears()
    await speaking(client, synthesizer)
    ears.begins()
    await client.until("input_audio_buffer.speech_started")
    synthesizer.release()
    assert (await client.last("response.done"))["response"]["status"] == "completed"


@pytest.fixture
async def patient(synthesizer):
    """A client whose voice must last before it interrupts."""
    turns = TurnDetection(lasting_s=0.7)
    async with realtime_client(synthesizer, REPLY, turns=turns) as client:
        await client.update(**TELLS)
        yield client


async def test_a_back_channel_is_not_told_and_stops_nothing(patient, synthesizer):
    ears = await patient.ears()
    await speaking(patient, synthesizer)
    ears.begins()
    ears.ends()
    ears.understands("yeah", "yeah")
    await eventually(lambda: patient.observer.utterances, 5, "it is counted")
    synthesizer.release()
    events = await patient.until("response.done")
    assert events[-1]["response"]["status"] == "completed"
    assert not [e for e in events if e["type"].startswith(("input_audio", "conversation.item.in"))]
    assert patient.observer.utterances == ["back_channel"]


async def test_a_voice_that_lasts_stops_the_response(patient, synthesizer):
    ears = await patient.ears()
    await speaking(patient, synthesizer)
    ears.begins()
    ears.lasts()
    events = await patient.until("response.done")
    assert "input_audio_buffer.speech_started" in kinds(events)
    assert events[-1]["response"]["status_details"]["reason"] == "turn_detected"


async def test_a_short_voice_is_heard_where_the_response_has_ended_before_it(patient, synthesizer):
    ears = await patient.ears()
    await speaking(patient, synthesizer)
    ears.begins()
    synthesizer.hold_at = None
    synthesizer.release()
    await patient.until("response.done")
    ears.ends()
    ears.understands("yes")
    events = await patient.until("response.created")
    assert kinds(events)[:3] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
    ]


async def test_a_short_voice_while_nobody_answers_is_heard_at_once(patient):
    ears = await patient.ears()
    ears.begins()
    await patient.until("input_audio_buffer.speech_started")


async def test_a_voice_stops_a_language_model_that_thinks(synthesizer):
    async with realtime_client(synthesizer, [...]) as client:
        ears = await client.ears()
        await client.send("response.create")
        await client.until("response.created")
        ears.begins()
        response = (await client.last("response.done"))["response"]
        assert response["status_details"]["reason"] == "turn_detected"
        assert client.model.ended == {"cancelled": 1}


async def test_a_false_voice_without_a_word_is_not_answered(client, synthesizer):
    ears = await client.ears()
    await speaking(client, synthesizer)
    ears.hears("")
    await client.until("response.done")
    await client.update(instructions="x")
    assert len(client.model.requests) == 1


async def test_a_truncation_cuts_the_transcript_by_the_times_of_words(client, synthesizer):
    """In proportion 0.3 s of 0.6 s would be half of the text, two words; the third one sounds."""
    await client.send("response.create")
    item = (await client.until("response.done"))[-1]["response"]["output"][0]
    cut = {"item_id": item["id"], "content_index": 0, "audio_end_ms": 350}
    await client.send("conversation.item.truncate", **cut)
    told = await client.last("conversation.item.truncated")
    assert {name: told[name] for name in cut} == cut
    await client.send("conversation.item.retrieve", item_id=item["id"])
    kept = (await client.last("conversation.item.retrieved"))["item"]
    assert kept["content"] == [{"type": "output_audio", "transcript": "One two three"}]
    (await client.ears()).hears("go on")
    await client.until("response.done")
    assert client.model.requests[1].items[0].text == "One two three"
    await eventually(lambda: synthesizer.played_ms[:1] == [350], 5, "the registry is told")


async def test_a_truncation_of_what_is_being_spoken_stops_it(client, synthesizer):
    """Pipecat sends nothing else at a barge-in."""
    events = await speaking(client, synthesizer)
    item_id = events[1]["item"]["id"]
    cut = {"item_id": item_id, "content_index": 0, "audio_end_ms": 70}
    await client.send("conversation.item.truncate", **cut)
    events = await client.until("response.done")
    assert "conversation.item.truncated" in kinds(events)
    response = events[-1]["response"]
    assert response["status_details"]["reason"] == "client_cancelled"
    assert response["output"][0]["content"][0]["transcript"] == "One"
    assert [how for _, how in synthesizer.ended] == ["cancelled"]


async def test_without_a_clock_of_the_listener_all_that_was_sent_counts(client, synthesizer):
    ears = await client.ears()
    await speaking(client, synthesizer)
    ears.begins()
    response = (await client.last("response.done"))["response"]
    assert response["output"][0]["content"][0]["transcript"] == "One two three"


async def test_the_listeners_clock_says_what_was_heard(client, synthesizer):
    ears = await client.ears()
    events = await speaking(client, synthesizer)
    item_id = events[1]["item"]["id"]
    await client.send("playback.ack", item_id=item_id, played_ms=10)
    await client.update(instructions="the acknowledgement is read")
    ears.begins()
    response = (await client.last("response.done"))["response"]
    assert len(response["output"][0]["content"][0]["transcript"]) < len("One two three")
    group = synthesizer.groups[response["session_id"]]
    assert 10 <= group.played_ms < 400


async def test_a_truncation_of_an_unknown_item_is_refused(client):
    cut = {"item_id": "item_none", "content_index": 0, "audio_end_ms": 70}
    await client.send("conversation.item.truncate", event_id="cut", **cut)
    error = (await client.last("error"))["error"]
    assert (error["code"], error["event_id"]) == ("item_truncate_invalid_item_id", "cut")


async def test_an_item_that_is_deleted_while_it_is_spoken_is_stopped(client, synthesizer):
    """LiveKit deletes an item of which nothing was played."""
    events = await speaking(client, synthesizer)
    await client.send("conversation.item.delete", item_id=events[1]["item"]["id"])
    await client.until("conversation.item.deleted")
    await client.until("response.done")
    synthesizer.hold_at = None
    await client.send("response.create")
    await client.until("response.done")
    assert client.model.requests[1].items == ()


async def test_a_stop_from_elsewhere_cancels_the_response(client, synthesizer):
    await speaking(client, synthesizer)
    key = synthesizer.requests[0].key
    await synthesizer.cancel(key)
    synthesizer.release()
    response = (await client.last("response.done"))["response"]
    assert response["status"] == "cancelled"


async def test_a_blocked_socket_does_not_delay_the_stop():
    """Posting waits for nothing, and what is muted is not written once the socket takes more."""
    written, unblock = [], asyncio.Event()

    async def write(frame):
        await unblock.wait()
        written.append(frame)

    outbox = EventOutbox(write)
    writing = asyncio.ensure_future(outbox.run())
    first = asyncio.ensure_future(outbox.sound("item", "first"))
    second = asyncio.ensure_future(outbox.sound("item", "second"))
    for _ in range(5):  # the first one is being written
        await asyncio.sleep(0)
    outbox.mute("item")
    outbox.post("started")
    assert not written
    unblock.set()
    outbox.finish()
    await asyncio.wait_for(writing, 5)
    await asyncio.gather(first, second)
    assert ["first" in written[0], "started" in written[1], len(written)] == [True, True, 2]
