"""What a client says: the events of the input, and the response that follows."""

import asyncio
import base64

import pytest

from app.errors import Overloaded
from app.realtime_settings import RealtimeSettings
from tests.support.eventually import eventually
from tests.support.realtime_client import kinds, realtime_client
from tests.support.scripted_hearing import ScriptedHearing

TRANSCRIPTION = "conversation.item.input_audio_transcription"
SECOND = base64.b64encode(bytes(2 * 24_000)).decode()  # of silence
TELLS = {"audio": {"input": {"transcription": {"model": "any"}}}}
PUSH_TO_TALK = {"audio": {"input": {"turn_detection": None, "transcription": {"model": "any"}}}}


@pytest.fixture
async def client(synthesizer):
    async with realtime_client(synthesizer, "Hello there.") as client:
        await client.update(**TELLS)
        yield client


async def test_an_utterance_is_told_step_by_step_and_answered(client):
    (await client.ears()).hears("what time is it")
    events = await client.until("response.created")
    assert kinds(events) == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        f"{TRANSCRIPTION}.completed",
        "response.created",
    ]
    ids = {event["item_id"] for event in events if "item_id" in event}
    assert ids == {events[3]["item"]["id"]}
    assert events[0]["audio_start_ms"] == 1000
    assert events[1]["audio_end_ms"] == 2000
    assert events[5]["transcript"] == "what time is it"
    assert events[5]["usage"] == {"type": "duration", "seconds": 1.0}
    assert [item.text for item in client.model.requests[0].items] == ["what time is it"]


async def test_the_conversation_grows_by_what_was_said_and_answered(client):
    ears = await client.ears()
    ears.hears("first")
    await client.until("response.done")
    ears.hears("second")
    await client.until("response.done")
    said = [(item.role, item.text) for item in client.model.requests[1].items]
    assert said == [("user", "first"), ("assistant", "Hello there."), ("user", "second")]


async def test_deltas_are_the_words_that_two_texts_agree_on(client):
    ears = await client.ears()
    ears.begins()
    ears.ends()
    ears.understands("what time is it", "what", "what time", "what dime is", "what time is it")
    events = await client.until(f"{TRANSCRIPTION}.completed")
    deltas = [e["delta"] for e in events if e["type"] == f"{TRANSCRIPTION}.delta"]
    assert deltas == ["what"]


async def test_transcriptions_are_told_only_where_they_are_asked_for(synthesizer):
    async with realtime_client(synthesizer, "Hello.") as client:
        (await client.ears()).hears("hello")
        events = await client.until("response.done")
        assert not [event for event in events if event["type"].startswith(TRANSCRIPTION)]


async def test_an_utterance_without_a_word_is_not_answered(client):
    (await client.ears()).hears("")
    done = await client.last(f"{TRANSCRIPTION}.completed")
    assert done["transcript"] == ""
    assert (await client.update(instructions="x"))["type"] == "session.updated"
    assert not client.model.requests
    assert client.observer.utterances == ["empty"]


async def test_the_answer_waits_until_nobody_speaks(client):
    ears = await client.ears()
    ears.begins()
    ears.ends()
    first = ears.generation
    ears.begins()
    ears.generation = first
    ears.understands("tell me")
    await client.until(f"{TRANSCRIPTION}.completed")
    ears.generation = first + 1
    ears.ends()
    ears.understands("the time")
    await client.until("response.done")
    assert [item.text for item in client.model.requests[0].items] == ["tell me", "the time"]


async def test_no_response_follows_where_the_client_wants_none(client):
    turns = {"type": "server_vad", "create_response": False}
    await client.update(audio={"input": {"turn_detection": turns}})
    (await client.ears()).hears("hello")
    await client.until(f"{TRANSCRIPTION}.completed")
    await client.update(instructions="x")
    assert not client.model.requests


async def test_push_to_talk_commits_by_an_order(client):
    await client.update(**PUSH_TO_TALK)
    ears = await client.ears()
    assert ears.turns is None
    await client.send("input_audio_buffer.commit")
    events = await client.until("conversation.item.done")
    assert kinds(events)[0] == "input_audio_buffer.committed"
    ears.understands("hello")
    await client.until(f"{TRANSCRIPTION}.completed")
    await client.send("response.create")
    assert (await client.last("response.done"))["response"]["status"] == "completed"
    assert [item.text for item in client.model.requests[0].items] == ["hello"]


async def test_a_commit_of_nothing_is_an_error_with_openais_code(client):
    await client.send("input_audio_buffer.commit", event_id="empty")
    error = (await client.last("error"))["error"]
    assert error["code"] == "input_audio_buffer_commit_empty"
    assert error["event_id"] == "empty"


async def test_a_clear_forgets_the_open_utterance(client):
    await client.update(**PUSH_TO_TALK)
    ears = await client.ears()
    await client.send("input_audio_buffer.clear")
    await client.until("input_audio_buffer.cleared")
    await eventually(lambda: ears.num_clears, 5, "the ears are cleared")
    await client.send("input_audio_buffer.commit")
    assert (await client.last("error"))["error"]["code"] == "input_audio_buffer_commit_empty"


async def test_sound_reaches_the_ears_as_it_was_sent(client):
    ears = await client.ears()
    await client.say(0.2)
    await eventually(lambda: len(ears.accepted) == 2 * 24_000 * 0.3, 5, "all sound is heard")
    assert client.observer.heard_s == pytest.approx(0.3)


@pytest.mark.parametrize(("given", "encoding"), [("audio/pcmu", "mulaw"), ("audio/pcma", "alaw")])
async def test_a_telephone_is_heard_in_its_own_format(client, given, encoding):
    await client.update(audio={"input": {"format": {"type": given}}})
    sound = (await client.ears()).sound
    assert (sound.encoding, sound.sample_rate) == (encoding, 8000)


async def test_a_failed_recogniser_is_told_and_the_next_utterance_is_heard(client):
    ears = await client.ears()
    ears.begins()
    ears.ends()
    ears.fails("recogniser_died")
    failed = await client.last(f"{TRANSCRIPTION}.failed")
    assert failed["error"]["code"] == "recogniser_died"
    assert client.observer.utterances == ["recogniser_died"]
    ears.hears("hello")
    assert (await client.last("response.done"))["response"]["status"] == "completed"


async def test_a_recogniser_that_fails_in_the_middle_ends_the_speech(client):
    ears = await client.ears()
    ears.begins()
    ears.fails("recogniser_hung")
    events = await client.until(f"{TRANSCRIPTION}.failed")
    assert kinds(events)[:3] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
    ]


async def test_a_text_that_comes_too_late_is_told_as_failed(synthesizer):
    settings = RealtimeSettings(transcript_s=0.05)
    async with realtime_client(synthesizer, settings=settings) as client:
        ears = await client.ears()
        ears.begins()
        ears.ends()
        failed = await client.last(f"{TRANSCRIPTION}.failed")
        assert failed["error"]["code"] == "recogniser_late"
        await eventually(lambda: ears.aborted == [1], 5, "the utterance is aborted")
        ears.understands("too late")
        ears.hears("hello")
        events = await client.until("response.done")
        assert [event["type"] for event in events].count("input_audio_buffer.committed") == 1
        assert client.observer.utterances == ["recogniser_late", "understood"]


async def test_hearing_that_is_lost_fails_its_utterance_and_is_opened_again(client):
    ears = await client.ears()
    ears.begins()
    ears.ends()
    ears.tell(Overloaded("the replica died", code="hearing_lost"))
    events = await client.until("error")
    assert events[-1]["error"]["code"] == "hearing_lost"
    assert events[-2]["error"]["code"] == "hearing_lost"
    assert ears.is_closed

    async def heard_again():
        await client.say()
        return len(client.hearing.calls) == 2

    await eventually(heard_again, 5, "the hearing is opened again", every_s=0.1)
    client.hearing.calls[1].hears("hello")
    assert (await client.last("response.done"))["response"]["status"] == "completed"


async def test_a_hearing_without_room_is_told(synthesizer):
    async with realtime_client(synthesizer) as client:
        client.hearing.error = Overloaded("all recognisers have calls")
        await client.say()
        assert (await client.last("error"))["error"]["code"] == "overloaded"


async def test_sound_that_comes_too_fast_is_refused_by_name(synthesizer):
    settings = RealtimeSettings(max_behind_s=1)
    async with realtime_client(synthesizer, settings=settings) as client:
        for _ in range(50):  # five seconds, in less than four on any machine
            await client.say(0.1)
        error = (await client.last("error"))["error"]
        assert error["code"] == "input_audio_too_fast"


class BusyHearing(ScriptedHearing):
    """Takes no sound until it is `free`."""

    async def open_call(self, sound, turns):
        ears = await super().open_call(sound, turns)
        take, self.free = ears.accept, asyncio.Event()
        self.loop = asyncio.get_running_loop()

        async def accept(content):
            await self.free.wait()
            await take(content)

        ears.accept = accept
        return ears


async def test_sound_that_the_hearing_does_not_take_is_refused_and_the_next_is_heard(synthesizer):
    settings, hearing = RealtimeSettings(max_behind_s=100), BusyHearing()
    async with realtime_client(synthesizer, hearing=hearing, settings=settings) as client:
        ears = await client.ears()  # which have 0.1 s and take nothing more
        for _ in range(31):
            await client.say(1)
        await client.send("input_audio_buffer.append", event_id="late", audio=SECOND)
        error = (await client.last("error"))["error"]
        assert (error["code"], error["event_id"]) == ("hearing_late", "late")
        hearing.loop.call_soon_threadsafe(hearing.free.set)
        taken = 2 * 24_000 * 31 + 2 * 2400
        await eventually(lambda: len(ears.accepted) == taken, 5, "what waited is heard")
        await client.say(1)
        await eventually(lambda: len(ears.accepted) > taken, 5, "sound is heard again")
        ears.hears("hello")
        assert (await client.last("response.done"))["response"]["status"] == "completed"


async def test_sound_that_is_no_base64_is_refused(client):
    await client.send("input_audio_buffer.append", audio="not base64!")
    assert (await client.last("error"))["error"]["param"] == "audio"
