"""Items that a client creates, reads and deletes."""

import pytest

from tests.support.realtime_client import realtime_client


@pytest.fixture
async def client(synthesizer):
    async with realtime_client(synthesizer, "Hello.") as client:
        yield client


def message(text, role="user", **fields):
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}], **fields}


async def create(client, item, **fields):
    await client.send("conversation.item.create", item=item, **fields)
    return await client.last("conversation.item.done", "error")


async def test_an_item_is_acknowledged_as_it_was_sent(client):
    await client.send("conversation.item.create", item=message("Hi", id="one"))
    added, done = await client.until("conversation.item.done")
    assert [added["type"], done["type"]] == ["conversation.item.added", "conversation.item.done"]
    assert added["item"]["content"] == [{"type": "input_text", "text": "Hi"}]
    assert (added["item"]["id"], added["previous_item_id"]) == ("one", None)


async def test_items_stand_where_the_client_puts_them(client):
    await create(client, message("b", id="b"))
    await create(client, message("d", id="d"))
    await create(client, message("a", id="a"), previous_item_id="root")
    told = await create(client, message("c", id="c"), previous_item_id="b")
    assert told["previous_item_id"] == "b"
    await client.send("response.create")
    await client.until("response.done")
    assert [item.text for item in client.model.requests[0].items] == ["a", "b", "c", "d"]


async def test_a_deleted_item_is_forgotten(client):
    await create(client, message("Hi", id="one"))
    await client.send("conversation.item.delete", item_id="one")
    assert (await client.last("conversation.item.deleted"))["item_id"] == "one"
    await client.send("conversation.item.retrieve", item_id="one", event_id="rci_one")
    error = (await client.last("error"))["error"]
    assert (error["code"], error["event_id"]) == ("item_retrieve_invalid_item_id", "rci_one")


@pytest.mark.parametrize(
    ("kind", "fields", "code"),
    [
        ("delete", {"item_id": "none"}, "item_delete_invalid_item_id"),
        ("create", {"item": message("x", id="one")}, "item_create_duplicate_item_id"),
        (
            "create",
            {"item": message("x"), "previous_item_id": "none"},
            "item_create_invalid_previous_item_id",
        ),
        (
            "create",
            {"item": {"type": "message", "role": "user", "content": [{"type": "input_image"}]}},
            "unsupported_content",
        ),
        ("create", {"item": {"type": "function_call_output"}}, "invalid_value"),
    ],
)
async def test_a_wrong_order_is_an_error_with_the_id_of_its_event(client, kind, fields, code):
    await create(client, message("Hi", id="one"))
    await client.send(f"conversation.item.{kind}", event_id="wrong", **fields)
    error = (await client.last("error"))["error"]
    assert (error["code"], error["event_id"]) == (code, "wrong")


async def test_history_of_every_role_reaches_the_language_model(client):
    await create(client, message("Be short.", "system"))
    await create(client, message("Hi", "user"))
    await create(client, message("Hello.", "assistant"))
    await client.send("response.create")
    await client.until("response.done")
    said = [(item.role, item.text) for item in client.model.requests[0].items]
    assert said == [("system", "Be short."), ("user", "Hi"), ("assistant", "Hello.")]
