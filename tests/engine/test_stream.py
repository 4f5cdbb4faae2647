"""A listener is told why a segment ended, where that has a name."""

import asyncio

import pytest

from app.core import Fault, FinishReason, SessionKey, SpeechTokens
from app.engine.stream import EngineStream
from app.errors import OutOfMemory, SynthesisFailed

KEY = SessionKey("default", "a")


@pytest.mark.parametrize(
    ("last", "raised"),
    [
        (SpeechTokens(KEY, 0, 1, (), FinishReason.ERROR, fault=Fault.OUT_OF_MEMORY), OutOfMemory),
        (SpeechTokens(KEY, 0, 1, (), FinishReason.ERROR), SynthesisFailed),
        (None, SynthesisFailed),
    ],
    ids=["out of memory", "another error", "the engine is gone"],
)
async def test_a_segment_that_failed_raises_what_its_caller_is_to_be_told(last, raised):
    queue: asyncio.Queue[SpeechTokens | None] = asyncio.Queue()
    left: list[bool] = []
    stream = EngineStream("T3", queue, left.append)
    for item in (SpeechTokens(KEY, 0, 0, (1,)), last):
        queue.put_nowait(item)
    assert (await anext(stream)).ids == (1,)
    with pytest.raises(raised):
        await anext(stream)
    assert left == [True]
    assert [item async for item in stream] == []
