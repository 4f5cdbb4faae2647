"""Listeners who play one paced stream after another, and a talker whose turns are cancelled: what
each of them waited for. Knows nothing about what runs beside them."""

import asyncio
import random
import time
import uuid
from contextlib import aclosing, suppress
from typing import NamedTuple

import httpx

from app.errors import ServeError
from benchmarks.speakers import Speaker

TEXT = (
    "Thank you for calling, I am glad to help. Your parcel left our warehouse this morning and "
    "should reach you before noon tomorrow. Is there anything else that I can do for you today?"
)
ANSWER_WITHIN_S = 10.0  # of a cancel
AGAIN_S = 1.0  # after a stream that was refused
PAUSE_S = 0.3  # of the cancelling talker, between two turns


class Heard(NamedTuple):
    """Of one stream, in seconds."""

    first_s: float  # from the request to the first sound
    silence_s: float  # the longest time with nothing to play, after the first sound
    audio_s: float


async def hear(speaker: Speaker, name: str, until_s: float) -> Heard:
    """A stream up to its end, or up to `until_s`, when the silence that lasts is counted too. A
    stream that is refused or breaks off counts as one that lasts up to then."""
    began_s = time.monotonic()
    first_at = dry_at = None
    silence_s = audio_s = 0.0
    try:
        async with asyncio.timeout(max(0.0, until_s - began_s)):
            async with aclosing(speaker.listen(TEXT, name)) as parts:
                async for seconds in parts:
                    now_s = time.monotonic()
                    if first_at is None or dry_at is None:
                        first_at = dry_at = now_s
                    silence_s = max(silence_s, now_s - dry_at)
                    dry_at = max(dry_at, now_s) + seconds
                    audio_s += seconds
    except (TimeoutError, ServeError, httpx.HTTPError):
        silence_s = max(silence_s, time.monotonic() - (dry_at or time.monotonic()))
    first_s = (first_at or time.monotonic()) - began_s
    return Heard(first_s, silence_s, audio_s)


async def listen(speaker: Speaker, until_s: float) -> list[Heard]:
    """One listener's streams, one after another."""
    heard = []
    while time.monotonic() < until_s:
        heard.append(await hear(speaker, uuid.uuid4().hex, until_s))
        if not heard[-1].audio_s:
            await asyncio.sleep(AGAIN_S)
    return heard


async def interrupt(speaker: Speaker, until_s: float, rng: random.Random) -> list[float]:
    """Turns that are cancelled at random moments. Returns the waits for the answers, in ms; an
    answer that does not come counts as the time that it was waited for."""
    acks_ms = []
    while time.monotonic() < until_s:
        name = uuid.uuid4().hex
        following = asyncio.ensure_future(hear(speaker, name, until_s))
        await asyncio.wait({following}, timeout=rng.uniform(0.2, 1.5))
        began_s = time.monotonic()
        with suppress(TimeoutError, httpx.TransportError):
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await speaker.cancel(name)
        acks_ms.append((time.monotonic() - began_s) * 1000)
        following.cancel()
        await asyncio.wait({following})
        await asyncio.sleep(PAUSE_S)
    return acks_ms
