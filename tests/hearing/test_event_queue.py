import asyncio

from app.hearing.ears import FinalText, PartialText
from app.hearing.event_queue import EventQueue


async def test_events_come_in_order_and_end_with_the_queue():
    queue = EventQueue()
    queue.put(PartialText(1, "a"))
    queue.put(FinalText(1, "a b", 1.0))
    events = queue.all()
    assert [await anext(events), await anext(events)] == [
        PartialText(1, "a"),
        FinalText(1, "a b", 1.0),
    ]
    waiting = asyncio.ensure_future(anext(events, None))
    await asyncio.sleep(0)
    queue.close()
    assert await waiting is None
    queue.put(PartialText(2, "late"))
    assert [event async for event in queue.all()] == []


async def test_an_event_that_was_taken_back_is_not_delivered():
    queue = EventQueue()
    for generation in (1, 2):
        queue.put(PartialText(generation, "a"))
    queue.discard(lambda event: event.generation == 1)
    assert await anext(queue.all()) == PartialText(2, "a")
