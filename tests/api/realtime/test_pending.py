"""What was said and has no text yet: it is waited for, forgotten, or answered later."""

import pytest

from tests.support.eventually import eventually
from tests.support.realtime_client import kinds, realtime_client

TELLS = {"transcription": {"model": "any"}}
PUSH_TO_TALK = {"audio": {"input": {"turn_detection": None, **TELLS}}}
VOICE = {"type": "server_vad", "silence_duration_ms": 400}
BY_VOICE = {"audio": {"input": {"turn_detection": VOICE}}}
PATIENT = {"type": "server_vad", "interrupt_response": False}
COMPLETED = "conversation.item.input_audio_transcription.completed"


@pytest.fixture
async def client(synthesizer):
    async with realtime_client(synthesizer, "Hello there.") as client:
        await client.update(audio={"input": TELLS})
        yield client


def asked(client, request=-1):
    """The texts that the language model was given last."""
    return [item.text for item in client.model.requests[request].items]


async def test_a_response_waits_for_the_text_of_what_was_committed(client):
    await client.update(**PUSH_TO_TALK)
    ears = await client.ears()
    await client.send("input_audio_buffer.commit")
    await client.send("response.create")
    await client.until("response.created")
    assert not client.model.requests
    ears.understands("what time is it")
    await client.until("response.done")
    assert asked(client) == ["what time is it"]


async def test_a_response_to_what_never_gets_its_text_begins_all_the_same(client):
    await client.update(**PUSH_TO_TALK)
    ears = await client.ears()
    await client.send("input_audio_buffer.commit")
    await client.send("response.create")
    await client.until("response.created")
    ears.fails("recogniser_died")
    assert (await client.last("response.done"))["response"]["status"] == "completed"


async def test_a_response_that_waits_for_a_text_can_be_cancelled(client):
    await client.update(**PUSH_TO_TALK)
    await client.ears()
    await client.send("input_audio_buffer.commit")
    await client.send("response.create")
    await client.until("response.created")
    await client.send("response.cancel")
    assert (await client.last("response.done"))["response"]["status"] == "cancelled"
    assert not client.model.requests


async def test_an_utterance_that_a_new_turn_detection_forgets_keeps_no_answer_back(client):
    ears = await client.ears()
    ears.begins()
    await client.until("input_audio_buffer.speech_started")
    await client.update(**BY_VOICE)
    await eventually(lambda: not ears.has_open, 5, "the ears have forgotten the utterance")
    ears.hears("what time is it")
    await client.until("response.done")
    assert asked(client) == ["what time is it"]


async def test_sound_that_push_to_talk_never_committed_keeps_no_answer_back(client):
    await client.update(**PUSH_TO_TALK)
    ears = await client.ears()
    await client.update(**BY_VOICE)
    await eventually(lambda: not ears.has_open, 5, "the ears have forgotten the utterance")
    ears.hears("what time is it")
    await client.until("response.done")


async def test_a_voice_that_is_noticed_while_it_is_cleared_is_told_no_more(client):
    """The sound and the clear come at once; the beginning is on its way when the clear is done."""
    ears = await client.ears()
    ears.has_open, ears.generation = True, 1
    await client.send("input_audio_buffer.clear")
    await client.until("input_audio_buffer.cleared")
    ears.generation = 0
    ears.begins()
    ears.has_open = False
    ears.hears("what time is it")
    events = await client.until("response.done")
    assert kinds(events).count("input_audio_buffer.speech_started") == 1
    assert asked(client) == ["what time is it"]


async def test_a_clear_behind_a_commit_forgets_nothing_of_it(client):
    await client.update(**PUSH_TO_TALK)
    ears = await client.ears()
    await client.send("input_audio_buffer.commit")
    await client.send("input_audio_buffer.clear")
    events = await client.until("input_audio_buffer.cleared")
    assert "input_audio_buffer.committed" in kinds(events)
    ears.understands("what time is it")
    assert (await client.last(COMPLETED))["transcript"] == "what time is it"


async def test_what_is_said_over_an_answer_is_answered_behind_it(synthesizer):
    """Where no voice may interrupt. The server's own wait is no fault of the client's."""
    async with realtime_client(
        synthesizer, ["One.", ...], "Two.", bounds={"max_faults": 1}
    ) as client:
        await client.update(audio={"input": {"turn_detection": PATIENT, **TELLS}})
        await client.send("response.create")
        await client.until("response.created")
        ears = await client.ears()
        ears.hears("stop it")
        ears.hears("please")
        await client.until(COMPLETED)
        await client.until(COMPLETED)
        await client.send("response.cancel")
        await client.until("response.done")
        done = await client.last("response.done")
        assert done["response"]["status"] == "completed"
        assert asked(client)[-2:] == ["stop it", "please"]


async def test_a_full_conversation_keeps_no_answer_back(client, monkeypatch):
    monkeypatch.setattr("app.conversation.items.MAX_ITEMS", 0)
    ears = await client.ears()
    ears.hears("one thing")
    assert (await client.last("error"))["error"]["code"] == "conversation_full"
    monkeypatch.setattr("app.conversation.items.MAX_ITEMS", 9)
    ears.hears("another thing")
    await client.until("response.done")
    assert asked(client) == ["another thing"]
