"""The reply of a server without a language model."""

import pytest

from app.conversation.echo import AGAIN, MAX_CHARS, NOTICE, Echo
from app.conversation.items import Message, Part
from app.conversation.language_model import ReplyRequest
from app.errors import LanguageModelFailed


def said(role, text):
    return Message(text, role, (Part(text),))


async def reply(*items):
    pieces = [piece async for piece in Echo().reply(ReplyRequest("", items))]
    return pieces[0].text


async def test_the_first_reply_says_what_is_missing():
    assert await reply(said("user", "hello")) == f"{NOTICE}hello"


async def test_later_replies_repeat_what_was_said_last():
    items = said("user", "hello"), said("assistant", "x"), said("user", "again")
    assert await reply(*items) == f"{AGAIN}again"


async def test_what_is_too_long_is_not_repeated():
    with pytest.raises(LanguageModelFailed) as failed:
        await reply(said("user", "x" * (MAX_CHARS + 1)))
    assert failed.value.code == "llm_too_long"


async def test_nothing_was_heard():
    assert await reply() == f"{NOTICE}nothing"
