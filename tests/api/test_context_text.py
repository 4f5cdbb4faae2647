"""The text of a context comes out as takes and orders, in order."""

import asyncio
import math

import pytest

from app.api.context_text import CHARS_IN_THREAD, MAX_CHARS_HERE, MAX_ORDERS, ContextText, Order
from app.errors import BadRequest
from app.text.incremental import IncrementalText
from app.text.plan import TextRules
from tests.support.cutting import Cutting

WORDS = "One more sentence of a long answer. " * 100


def context(max_buffer_s=1.0):
    return ContextText(TextRules(), max_buffer_s=max_buffer_s, max_held_chars=20_000)


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


async def test_time_does_not_cut_an_open_item(later):
    text = context(max_buffer_s=1000)
    await text.push("It costs")
    await text.push(" $5.3 bil")
    coming = asyncio.ensure_future(text.next())
    await turns()
    later(1001)
    assert (await coming).text == "It costs "
    await text.push("lion, I think")
    text.close()
    assert (await text.next()).text == "$5.3 billion, I think"
    assert await text.next() is Order.CLOSE


async def test_an_open_item_waits_at_most_twice_as_long_from_the_last_text(later):
    text = context(max_buffer_s=1000)
    await text.push("$5.3")
    coming = asyncio.ensure_future(text.next())
    await turns()
    later(1500)
    await turns()
    await text.push(" bil")
    later(1500)
    await turns()
    assert not coming.done()
    later(600)
    assert (await coming).text == "$5.3 bil"
    assert text.num_held == 0


async def test_a_flush_of_the_caller_speaks_an_open_item():
    text = context()
    await text.push("It costs $5.3")
    text.flush()
    assert (await text.next()).text == "It costs $5.3"


async def test_a_client_that_waits_for_no_end_sends_whole_items():
    text = context(max_buffer_s=0.0)
    await text.push("It costs $5.3")
    assert (await text.next()).text == "It costs $5.3"


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


@pytest.fixture
async def later(monkeypatch):
    """Moves the clock of the event loop on."""
    loop, ahead_s = asyncio.get_running_loop(), 0.0
    real = loop.time

    def move(seconds):
        nonlocal ahead_s
        ahead_s += seconds

    monkeypatch.setattr(loop, "time", lambda: real() + ahead_s)
    return move


async def turns():
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
async def cutting(monkeypatch):
    cutting = Cutting(monkeypatch)
    yield cutting
    cutting.go.set()


async def test_a_long_text_is_cut_in_a_thread_and_a_short_piece_is_not(cutting):
    cutting.go.set()
    text = context()
    await text.push("x" * MAX_CHARS_HERE)
    assert cutting.on_loop == [True]
    await text.push(WORDS)
    text.close()
    while await text.next() is not Order.CLOSE:
        pass
    assert cutting.on_loop[1:] == [False] * math.ceil(len(WORDS) / CHARS_IN_THREAD)


async def test_what_comes_while_a_text_is_cut_keeps_its_order(cutting):
    text = context()
    await text.push("A first sentence that is long enough. ")
    await cutting.begun.wait()
    await text.push("Then more. ")
    text.flush()
    await text.push("And so ")
    await text.push("on. ")
    text.close()
    assert not text.is_idle
    cutting.go.set()
    came = []
    while (order := await text.next()) is not Order.CLOSE:
        came.append("|" if order is Order.FLUSHED else order.text)
    assert "".join(came) == "A first sentence that is long enough. Then more. |And so on. "
    assert text.num_held == 0
    assert text.is_idle


async def test_text_that_is_being_cut_has_not_waited_yet(cutting):
    text = context(max_buffer_s=0.0)
    await text.push("Half a sentence that")
    await cutting.begun.wait()
    coming = asyncio.ensure_future(text.next())
    await asyncio.sleep(0)
    await text.push(" goes on ")
    assert not coming.done()
    cutting.go.set()
    assert (await coming).text.startswith("Half a sentence that")


async def test_a_context_that_ends_while_its_text_is_cut_frees_it(cutting):
    text = context()
    await text.push(WORDS)
    await cutting.begun.wait()
    await text.push(WORDS)
    await text.stop()  # while the thread still cuts
    assert text.num_held == 0
    cutting.go.set()
    await asyncio.to_thread(int)  # a turn of the threads
    assert len(cutting.on_loop) == 1
    await text.stop()


async def test_white_space_and_reasoning_that_are_being_cut_are_not_too_much(cutting):
    text = ContextText(TextRules(strip_markdown=True), max_buffer_s=1.0, max_held_chars=2000)
    await text.push("<think>" + " let me see" * 150)
    await cutting.begun.wait()
    more = asyncio.ensure_future(text.push("and so on. " * 150))
    await asyncio.sleep(0)
    assert not more.done()
    cutting.go.set()
    await more


async def test_text_that_is_too_much_behind_text_that_is_cut_is_refused(cutting):
    text = ContextText(TextRules(), max_buffer_s=1.0, max_held_chars=2000)
    await text.push("more " * 300)
    await cutting.begun.wait()
    cutting.go.set()
    with pytest.raises(BadRequest, match="1500 characters wait"):
        await text.push("more " * 300)


async def test_an_error_of_the_cutting_is_told(monkeypatch):
    def broken(text, piece):
        raise ZeroDivisionError

    monkeypatch.setattr(IncrementalText, "push", broken)
    text = context()
    await text.push("A text that is long enough for a thread.")
    with pytest.raises(ZeroDivisionError):
        await text.next()
