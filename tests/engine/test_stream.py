"""A failed segment raises the error that its caller is told."""

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
async def test_a_failed_segment_raises_an_error_by_its_fault(last, raised):
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
