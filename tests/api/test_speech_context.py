import asyncio
from types import SimpleNamespace
from typing import Any, cast

from app.api.speech_context import READ_AT_ONCE, SpeechContext
from app.text.plan import TextRules

WORDS = "One more sentence of a long answer. " * 100


def context() -> SpeechContext:
    services: Any = SimpleNamespace(sockets=SimpleNamespace(max_held_chars=20_000))
    options: Any = SimpleNamespace(rules=TextRules(), language="en", max_segment_chars=280)
    return SpeechContext(
        *("context", 0, "session", options),
        services=services,
        outbox=cast(Any, None),
        is_binary=False,
        max_buffer_s=1.0,
        is_held=False,
    )


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
