"""Speech that is cut at random moments over a socket: what the server says was heard, beside what a
forced alignment finds.

Knows nothing about options or the last line.
"""

import json
import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from websockets.asyncio.client import ClientConnection, connect

from app.client.socket_speech import stream_address
from app.client.speech_client import key_headers
from benchmarks.forced_alignment import Heard
from benchmarks.measure import quantile
from benchmarks.told_words import sound_ms
from loadtests.spoken_sockets import Own

TALK = Own()


class Aligned(NamedTuple):
    """A text that was spoken whole: with the same voice and seed it sounds the same again."""

    text: str
    seed: int
    words: Mapping[int, Heard]  # by their places in the text


class Received(NamedTuple):
    sound_ms: float
    early_ms: list[float]  # of each word: the sound between its message and its own


class Cut(NamedTuple):
    """How many words the server says were heard, how many end by then in the alignment, and of how
    many half is over. `early_ms`: as Received."""

    told: int
    ended: int
    half: int
    early_ms: list[float]


async def cut(url: str, voice: str, speech: Aligned, rng: random.Random) -> Cut:
    """The cancel comes after a random part of the sound, with a random place in that part as the
    client's playout clock."""
    whole_ms = max(word.end_ms for word in speech.words.values())
    async with connect(
        stream_address(url), additional_headers=key_headers(), proxy=None, max_size=None
    ) as socket:
        fields = {"timestamps": "word", "seed": speech.seed}
        for frame in TALK.opening(voice, speech.text, fields):
            await socket.send(frame)
        received = await _listen(socket, rng.uniform(0, whole_ms))
        played_ms: float = rng.uniform(0, received.sound_ms)
        await socket.send(json.dumps({**json.loads(TALK.stop), "played_ms": played_ms}))
        char_end = await _heard(socket)
    words = speech.words.values()
    return Cut(
        sum(place < char_end for place in speech.words),
        sum(word.end_ms <= played_ms for word in words),
        sum((word.start_ms + word.end_ms) / 2 <= played_ms for word in words),
        received.early_ms,
    )


def agreement(cuts: Sequence[Cut]) -> Mapping[str, float | None]:
    def share(name: str, most: int) -> float:
        num_near = sum(abs(cut.told - int(getattr(cut, name))) <= most for cut in cuts)
        return round(num_near / max(1, len(cuts)), 3)

    return {
        "n": len(cuts),
        "half_exact": share("half", 0),
        "half_within_one": share("half", 1),
        "ended_exact": share("ended", 0),
        "ended_within_one": share("ended", 1),
        "told_early_ms_p50": quantile([early for cut in cuts for early in cut.early_ms], 0.5),
    }


async def _listen(socket: ClientConnection, until_ms: float) -> Received:
    """What came: `until_ms` of sound at least, or all of it."""
    num_bytes, early_ms = 0, dict[int, float]()
    async for frame in socket:
        if isinstance(frame, str):
            for word in json.loads(frame).get("words", ()):
                early_ms.setdefault(word["char_start"], word["start_ms"] - sound_ms(num_bytes))
        said = TALK.read(frame)
        if said.error is not None:
            raise RuntimeError(said.error)
        num_bytes += len(said.sound)
        if said.is_over or sound_ms(num_bytes) > until_ms:
            break
    return Received(sound_ms(num_bytes), list(early_ms.values()))


async def _heard(socket: ClientConnection) -> int:
    """Up to which character the text was heard."""
    async for frame in socket:
        said = TALK.read(frame)
        if said.error is not None:
            raise RuntimeError(said.error)
        if said.is_answer:
            return int(json.loads(frame)["heard"]["char_end"])
    raise RuntimeError("the server closed the socket before the acknowledgement")
