"""The items of a conversation, and their order."""

import pytest

from app.conversation import items
from app.conversation.items import Conversation, Message, Part
from app.errors import BadRequest, NotFound


def message(item_id, text="text"):
    return Message(item_id, "user", (Part(text),))


@pytest.fixture
def conversation():
    made = Conversation()
    for item_id in "ac":
        made.add(message(item_id))
    return made


def ids(conversation):
    return "".join(item.id for item in conversation)


@pytest.mark.parametrize(
    ("after", "before", "order"),
    [(None, "c", "acb"), ("a", "a", "abc"), ("root", None, "bac")],
)
def test_an_item_is_put_behind_another(conversation, after, before, order):
    assert conversation.add(message("b"), after) == before
    assert ids(conversation) == order
    assert conversation.before("b") == before


def test_a_taken_id_is_refused(conversation):
    with pytest.raises(BadRequest) as refused:
        conversation.add(message("a"))
    assert refused.value.code == "item_create_duplicate_item_id"


def test_an_unknown_predecessor_is_refused(conversation):
    with pytest.raises(BadRequest):
        conversation.add(message("b"), "x")


def test_a_replaced_item_keeps_its_place(conversation):
    conversation.replace(message("a", "other"))
    assert [item.text for item in conversation] == ["other", "text"]


def test_a_deleted_item_is_not_replaced(conversation):
    conversation.delete("a")
    conversation.replace(message("a"))
    assert ids(conversation) == "c"
    with pytest.raises(NotFound):
        conversation.delete("a")


def test_a_conversation_has_a_largest_size(conversation, monkeypatch):
    monkeypatch.setattr(items, "MAX_CHARS", 10)
    with pytest.raises(BadRequest) as refused:
        conversation.add(message("b"))
    assert refused.value.code == "conversation_full"
    conversation.delete("a")
    conversation.add(message("b"))
