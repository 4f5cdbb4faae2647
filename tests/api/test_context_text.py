"""The text of a context comes out as takes and orders, in order."""

import asyncio

from app.api.context_text import MAX_ORDERS, READ_AT_ONCE, ContextText, Order
from app.text.plan import TextRules

WORDS = "One more sentence of a long answer. " * 100


def context(max_buffer_s=1.0):
    return ContextText(TextRules(), max_buffer_s=max_buffer_s, max_held_chars=20_000)


async def test_others_move_on_while_a_long_text_is_read():
    turns = 0

    async def another_stream():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    moving = asyncio.ensure_future(another_stream())
    await context().push(WORDS)
    moving.cancel()
    assert turns >= len(WORDS) // READ_AT_ONCE - 1


async def test_all_text_that_has_come_is_kept_as_it_came():
    text = context()
    for piece in ("Hello  the", "re. ", "And\n\nso on."):
        await text.push(piece)
    assert text.whole == "Hello  there. And\n\nso on."


async def test_takes_know_their_place_in_that_text():
    text = context()
    await text.push("This  is the first sentence of all.   And then more of it. ")
    text.close()
    takes = [await text.next(), await text.next()]
    for take in takes:
        assert [text.whole[place] for place in take.places if not take.text.isspace()] == [
            *take.text
        ]
    assert await text.next() is Order.CLOSE


async def test_text_that_is_bounded_elsewhere_is_never_too_much():
    text = ContextText(TextRules(), max_buffer_s=1.0, max_held_chars=None)
    await text.push("More. " * 4000)
    assert len(text.whole) == text.num_held == 24_000


async def test_text_that_waits_too_long_is_a_take():
    text = context(max_buffer_s=0.0)
    await text.push("Half a")
    assert (await text.next()).text == "Half a"
    assert text.num_held == 0


async def test_pieces_that_come_while_a_take_is_spoken_do_not_fill_the_queue():
    """A language model sends a word at a time; a flush is refused only behind takes and flushes."""
    text = context()
    for _ in range(MAX_ORDERS + 10):
        await text.push("more ")
    text.flush()
    said = ""
    while (order := await text.next()) is not Order.FLUSHED:
        said += order.text
    assert said.count("more") == MAX_ORDERS + 10
    assert text.is_idle
