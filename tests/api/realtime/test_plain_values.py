"""Values that no JSON in UTF-8 can have: they are refused by name, and the session goes on."""

import json

import pytest

from app.api.realtime.client_events import event_of, read_event
from app.api.realtime.plain_values import MAX_DEPTH, require_plain
from app.errors import BadRequest
from tests.support.realtime_client import realtime_client

HALF = "hello \ud800"
MESSAGE = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": HALF}]}
CALL = {"type": "function_call", "call_id": "a", "name": "weather", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "a", "output": "rain"}
ITEM, SESSION, RESPONSE = "conversation.item.create", "session.update", "response.create"
PARAMETERS = "session.tools.0.parameters"


def nested(depth):
    value = {}
    for _ in range(depth - 1):
        value = {"x": value}
    return value


def tool(**fields):
    return {"session": {"tools": [{"type": "function", "name": "weather", **fields}]}}


@pytest.mark.parametrize(
    ("kind", "fields", "param"),
    [
        (ITEM, {"item": MESSAGE}, "item.content.0.text"),
        (ITEM, {"item": CALL | {"name": HALF}}, "item.name"),
        (ITEM, {"item": CALL | {"arguments": HALF}}, "item.arguments"),
        (ITEM, {"item": CALL | {"call_id": HALF}}, "item.call_id"),
        (ITEM, {"item": RESULT | {"output": HALF}}, "item.output"),
        (ITEM, {"item": RESULT | {"id": HALF}}, "item.id"),
        (ITEM, {"item": RESULT, "previous_item_id": HALF}, "previous_item_id"),
        (SESSION, {"session": {"instructions": HALF}}, "session.instructions"),
        (SESSION, tool(description=HALF), "session.tools.0.description"),
        (SESSION, tool(parameters={HALF: 1}), PARAMETERS),
        (SESSION, tool(parameters={"x": float("nan")}), f"{PARAMETERS}.x"),
        (SESSION, tool(parameters={"x": [1, float("inf")]}), f"{PARAMETERS}.x.1"),
        (
            SESSION,
            {"session": {"tool_choice": {"type": "function", "name": HALF}}},
            "session.tool_choice.name",
        ),
        (RESPONSE, {"response": {"instructions": HALF}}, "response.instructions"),
        (RESPONSE, {"response": {"metadata": {"x": HALF}}}, "response.metadata.x"),
        (RESPONSE, {"response": {"metadata": {HALF: "x"}}}, "response.metadata"),
        (RESPONSE, {"response": {"input": [MESSAGE]}}, "response.input.0.content.0.text"),
    ],
)
def test_it_is_refused_by_name(kind, fields, param):
    with pytest.raises(BadRequest) as refused:
        event_of(read_event(json.dumps({"type": kind, **fields})))
    assert refused.value.param == param


def test_a_number_that_is_too_great_is_refused():
    event = read_event('{"type": "session.update", "session": {"tracing": {"x": 1e999}}}')
    with pytest.raises(BadRequest) as refused:
        event_of(event)
    assert refused.value.param == "session.tracing.x"


async def test_the_session_goes_on(synthesizer):
    async with realtime_client(synthesizer, "Hello.") as client:
        await client.send(ITEM, event_id="wrong", item=MESSAGE)
        error = (await client.last("error"))["error"]
        assert (error["code"], error["event_id"]) == ("invalid_value", "wrong")
        assert (await client.update(**tool(parameters=nested(300))["session"]))["type"] == "error"
        await client.send("input_audio_buffer.clear", event_id=HALF)
        error = (await client.last("error"))["error"]
        assert (error["param"], error["event_id"]) == ("event_id", None)
        await client.send("response.create")
        assert (await client.last("response.done"))["response"]["status"] == "completed"
        assert client.model.requests[0].items == ()


def test_depth_is_bounded_and_any_other_value_passes():
    require_plain(nested(MAX_DEPTH))
    require_plain({"x": [1, 1.5, True, None, "\U0001f600", {}]})
    with pytest.raises(BadRequest, match=f"{MAX_DEPTH} deep"):
        require_plain(nested(MAX_DEPTH + 1))
