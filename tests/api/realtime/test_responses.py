"""The events of a response, in OpenAI's order."""

import json

import numpy as np
import pytest

from app.audio.pcm import to_s16le
from app.conversation.items import FunctionCall, FunctionOutput
from app.conversation.language_model import CallPiece, ReplyEnd, TextPiece
from app.errors import LanguageModelFailed, Overloaded
from tests.support.fakes import tone
from tests.support.realtime_client import kinds, realtime_client, sound

SPOKEN = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
]
DONE = [
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
]
TOOL = {
    "type": "function",
    "name": "weather",
    "description": "of a town",
    "parameters": {"type": "object", "properties": {"town": {"type": "string"}}},
}


@pytest.fixture
async def client(synthesizer):
    async with realtime_client(synthesizer, "Hello there. How are you?") as client:
        yield client


async def respond(client, **response):
    await client.send("response.create", response=response)
    return await client.until("response.done")


async def test_a_reply_is_spoken_with_the_events_in_order(client, synthesizer):
    events = await respond(client)
    order = kinds(events)
    assert order[:4] == SPOKEN
    assert order[-6:] == DONE
    assert set(order[4:-6]) == {
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
    }
    assert sound(events) == to_s16le(tone(synthesizer.num_samples))
    ids = {event["item_id"] for event in events if "item_id" in event}
    assert len(ids) == 1
    response = events[-1]["response"]
    assert response["status"] == "completed"
    assert [item["id"] for item in response["output"]] == list(ids)
    assert {event["response_id"] for event in events if "response_id" in event} == {response["id"]}


async def test_the_transcript_is_told_with_the_sound_and_is_the_reply(client):
    events = await respond(client)
    deltas = [e for e in events if e["type"] == "response.output_audio_transcript.delta"]
    assert "".join(delta["delta"] for delta in deltas) == "Hello there. How are you?"
    assert deltas[0]["start_time"] == 0
    done = next(e for e in events if e["type"] == "response.output_audio_transcript.done")
    assert done["transcript"] == "Hello there. How are you?"
    assert events[-1]["response"]["output"][0]["content"] == [
        {"type": "output_audio", "transcript": "Hello there. How are you?"}
    ]


async def test_the_metadata_is_echoed(client):
    events = await respond(client, metadata={"client_event_id": "response_create_1"})
    for told in (events[0], events[-1]):
        assert told["response"]["metadata"] == {"client_event_id": "response_create_1"}


async def test_the_usage_counts_the_tokens_of_both_models(client, synthesizer):
    usage = (await respond(client))[-1]["response"]["usage"]
    assert usage["input_tokens"] == 12
    num_speech = synthesizer.num_chunks * synthesizer.chunk_tokens
    assert usage["output_token_details"] == {"text_tokens": 5, "audio_tokens": num_speech}
    assert usage["total_tokens"] == 12 + 5 + num_speech


async def test_the_session_of_the_speech_is_told(client, synthesizer):
    session_id = (await respond(client))[-1]["response"]["session_id"]
    assert synthesizer.requests[0].key.session_id == f"{session_id}-0"
    assert session_id in synthesizer.groups


async def test_a_text_reply_is_not_spoken(client, synthesizer):
    events = await respond(client, output_modalities=["text"])
    deltas = [e["delta"] for e in events if e["type"] == "response.output_text.delta"]
    assert "".join(deltas) == "Hello there. How are you?"
    assert not synthesizer.requests
    assert events[-1]["response"]["output"][0]["content"][0]["type"] == "output_text"


@pytest.mark.parametrize(("kind", "name"), [("audio/pcmu", "mulaw"), ("audio/pcma", "alaw")])
async def test_a_telephone_hears_its_own_format(client, synthesizer, kind, name):
    told = await client.update(audio={"output": {"format": {"type": kind}}})
    assert told["session"]["audio"]["output"]["format"] == {"type": kind}
    heard = sound(await respond(client))
    assert len(heard) == pytest.approx(synthesizer.num_samples / 3, abs=20)


async def test_a_second_response_is_refused_while_one_is_active(client, synthesizer):
    synthesizer.hold_at = 1
    await client.send("response.create")
    await client.until("response.output_audio.delta")
    await client.send("response.create", event_id="second")
    refused = await client.last("error")
    assert refused["error"]["code"] == "conversation_already_has_active_response"
    assert refused["error"]["event_id"] == "second"
    synthesizer.release()
    assert (await client.last("response.done"))["response"]["status"] == "completed"


@pytest.mark.parametrize("names_it", [True, False])
async def test_a_cancel_ends_the_response_as_cancelled(client, synthesizer, names_it):
    synthesizer.hold_at = 1
    await client.send("response.create")
    events = await client.until("response.output_audio.delta")
    named = {"response_id": events[0]["response"]["id"]} if names_it else {}
    await client.send("response.cancel", **named)
    rest = await client.until("response.done")
    assert kinds(rest)[-6:] == DONE
    response = rest[-1]["response"]
    assert response["status"] == "cancelled"
    assert response["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert response["output"][0]["status"] == "incomplete"
    assert [how for _, how in synthesizer.ended] == ["cancelled"]
    assert not sound(rest)


async def test_a_cancel_with_nothing_active_has_the_code_that_clients_know(client):
    await client.send("response.cancel", event_id="late")
    refused = (await client.last("error"))["error"]
    assert refused["code"] == "response_cancel_not_active"
    assert refused["message"].startswith("Cancellation failed")
    assert refused["event_id"] == "late"


async def test_a_response_may_follow_a_cancel_at_once(client, synthesizer):
    synthesizer.hold_at = 1
    await client.send("response.create")
    await client.until("response.output_audio.delta")
    synthesizer.hold_at = None
    await client.send("response.cancel")
    await client.send("response.create")
    assert (await client.last("response.done"))["response"]["status"] == "cancelled"
    assert (await client.last("response.done"))["response"]["status"] == "completed"


async def test_a_cancel_while_the_language_model_thinks_closes_its_request(synthesizer):
    async with realtime_client(synthesizer, [...]) as client:
        await client.send("response.create")
        await client.until("response.created")
        await client.send("response.cancel")
        done = await client.last("response.done")
        assert done["response"]["status"] == "cancelled"
        assert done["response"]["output"] == []
        assert client.model.ended == {"cancelled": 1}
        assert client.observer.responses == ["client_cancelled"]


async def test_a_failed_language_model_fails_the_response_and_the_next_one_works(synthesizer):
    error = LanguageModelFailed("the language model failed: it is away", code="llm_unreachable")
    async with realtime_client(synthesizer, [error], "Hello.") as client:
        response = (await respond(client))[-1]["response"]
        assert response["status"] == "failed"
        assert response["status_details"]["error"]["code"] == "llm_unreachable"
        assert (await respond(client))[-1]["response"]["status"] == "completed"
        assert client.observer.responses == ["llm_unreachable", "completed"]


async def test_a_reply_that_breaks_off_keeps_what_was_heard(synthesizer):
    error = LanguageModelFailed("the language model failed: cut", code="llm_cut_off")
    pieces = [TextPiece("Hello there. "), TextPiece("And"), error]
    async with realtime_client(synthesizer, pieces) as client:
        response = (await respond(client))[-1]["response"]
        assert response["status"] == "failed"
        assert response["output"][0]["status"] == "incomplete"


async def test_a_failed_speech_fails_the_response(synthesizer):
    synthesizer.fail_at, synthesizer.error = 0, Overloaded("no slot will be free in time")
    async with realtime_client(synthesizer, "Hello.") as client:
        response = (await respond(client))[-1]["response"]
        assert response["status_details"]["error"]["code"] == "overloaded"


async def test_a_reply_that_is_too_long_for_the_model_is_incomplete(synthesizer):
    pieces = [TextPiece("Hello there."), ReplyEnd("length")]
    async with realtime_client(synthesizer, pieces) as client:
        response = (await respond(client))[-1]["response"]
        assert response["status"] == "incomplete"
        assert response["status_details"]["reason"] == "max_output_tokens"


async def test_more_may_wait_to_be_spoken_than_in_a_context_of_a_client(synthesizer):
    reply = "Hello there. " * 10
    async with realtime_client(synthesizer, reply, bounds={"max_held_chars": 20}) as client:
        response = (await respond(client))[-1]["response"]
        assert response["status"] == "completed"
        assert response["output"][0]["content"][0]["transcript"] == reply


async def test_an_empty_reply_is_a_whole_response_without_items(synthesizer):
    async with realtime_client(synthesizer, [ReplyEnd("stop")]) as client:
        response = (await respond(client))[-1]["response"]
        assert (response["status"], response["output"]) == ("completed", [])


async def test_a_call_of_a_function_passes_through_and_its_result_back(synthesizer):
    calls = [
        CallPiece(0, "", "call_1", "weather"),
        CallPiece(0, '{"town":'),
        CallPiece(0, '"Ulm"}'),
        ReplyEnd("tool_calls"),
    ]
    async with realtime_client(synthesizer, calls, "It rains.") as client:
        await client.update(tools=[TOOL], tool_choice="required")
        events = await respond(client)
        assert kinds(events) == [
            "response.created",
            "response.output_item.added",
            "conversation.item.added",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "conversation.item.done",
            "response.output_item.done",
            "response.done",
        ]
        done = next(e for e in events if e["type"] == "response.function_call_arguments.done")
        assert json.loads(done["arguments"]) == {"town": "Ulm"}
        (call,) = events[-1]["response"]["output"]
        assert (call["type"], call["name"], call["call_id"]) == (
            "function_call",
            "weather",
            "call_1",
        )
        request = client.model.requests[0]
        assert [tool.name for tool in request.tools] == ["weather"]
        assert request.tool_choice == "required"
        result = {"type": "function_call_output", "call_id": "call_1", "output": "rain"}
        await client.send("conversation.item.create", item=result)
        await client.until("conversation.item.done")
        events = await respond(client)
        assert events[-1]["response"]["status"] == "completed"
        asked = client.model.requests[1].items
        assert [type(item) for item in asked] == [FunctionCall, FunctionOutput]
        assert asked[0].arguments == '{"town":"Ulm"}'


async def test_a_call_without_a_name_fails_the_response(synthesizer):
    async with realtime_client(synthesizer, [CallPiece(0, "{}")]) as client:
        response = (await respond(client))[-1]["response"]
        assert response["status_details"]["error"]["code"] == "llm_invalid"


async def test_text_and_calls_of_one_reply_are_items_in_order(synthesizer):
    pieces = [
        TextPiece("One moment."),
        CallPiece(0, "{}", "a", "weather"),
        CallPiece(1, "{}", "b", "weather"),
        ReplyEnd("tool_calls"),
    ]
    async with realtime_client(synthesizer, pieces) as client:
        output = (await respond(client))[-1]["response"]["output"]
        assert [item["type"] for item in output] == ["message", "function_call", "function_call"]
        assert [item.get("call_id") for item in output] == [None, "a", "b"]


async def test_a_response_out_of_the_conversation_leaves_no_item(client):
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
    events = await respond(client, conversation="none", input=[item], instructions="Be rude.")
    assert events[-1]["response"]["conversation_id"] is None
    request = client.model.requests[0]
    assert request.instructions == "Be rude."
    assert [each.text for each in request.items] == ["Hi"]
    await respond(client)
    assert client.model.requests[1].items == ()


async def test_the_sound_of_many_sentences_is_one_item(synthesizer):
    reply = " ".join(f"This is sentence number {n} of all of them, and it is long." for n in "abc")
    async with realtime_client(synthesizer, reply) as client:
        events = await respond(client)
        assert len(synthesizer.requests) > 1
        assert len(events[-1]["response"]["output"]) == 1
        num_samples = synthesizer.num_samples * len(synthesizer.requests)
        assert np.frombuffer(sound(events), "<i2").size == num_samples
