"""A text that a running server speaks, the words that it tells, and where a forced alignment finds
them in the sound. Knows nothing about what is measured."""

import base64
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import av
import httpx
import numpy as np
from numpy.typing import NDArray

from app.core import SAMPLE_RATE
from app.text.plan import TextRules, plan_text
from benchmarks.forced_alignment import Aligner, Heard

PCM = "pcm"
_PARTS = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


class Told(NamedTuple):
    start_ms: float
    end_ms: float | None


@dataclass(slots=True)
class Spoken:
    text: str
    sound: NDArray[np.float32]
    rate: int
    words: Mapping[int, Told]  # as they were told last, by their place in the text
    early_ms: list[float] = field(default_factory=list)  # told before their sound; pcm alone


async def speak(client: httpx.AsyncClient, text: str, options: Mapping[str, Any]) -> Spoken:
    """As server-sent events. `options`: fields of the request."""
    body = {"input": text, "stream_format": "sse", "timestamps": "word", **options}
    is_pcm = options["response_format"] == PCM
    sent, words, early_ms = bytearray(), dict[int, Told](), list[float]()
    async with client.stream("POST", "/v1/audio/speech", json=body) as response:
        if not response.is_success:
            await response.aread()
            raise RuntimeError(f"{response.status_code}: {response.text}")
        async for line in response.aiter_lines():
            if not line.startswith("data: {"):
                continue
            event = json.loads(line.removeprefix("data: "))
            if event["type"] == "speech.audio.delta":
                sent += base64.b64decode(event["audio"])
            for word in event.get("words", ()):
                if is_pcm and word["char_start"] not in words:
                    early_ms.append(word["start_ms"] - sound_ms(len(sent)))
                words[word["char_start"]] = Told(word["start_ms"], word["end_ms"])
    sound, rate = _decoded(bytes(sent), is_pcm=is_pcm)
    return Spoken(text, sound, rate, words, early_ms)


def sound_ms(num_bytes: int) -> float:
    """How long so much of pcm lasts."""
    return 1e3 * num_bytes / 2 / SAMPLE_RATE


class Reference:
    """Of English."""

    def __init__(self) -> None:
        self._aligner = Aligner()

    def words(self, spoken: Spoken) -> Mapping[int, Heard] | None:
        """The words of the text, by their places in it. None: they cannot be laid on the sound."""
        planned = plan_text(spoken.text, TextRules("en")).words
        parts = [
            (part, word.start)
            for words in planned
            for word in words
            for part in _PARTS.findall(word.text)
        ]
        said = [part for part, _ in parts]
        found = self._aligner.align(spoken.sound, spoken.rate, said)
        if found is None:
            return None
        places: dict[int, Heard] = {}
        for heard, (_, place) in zip(found, parts, strict=True):
            first = places.get(place, heard)
            places[place] = Heard(first.word, first.start_ms, heard.end_ms)
        return places


def _decoded(body: bytes, *, is_pcm: bool) -> tuple[NDArray[np.float32], int]:
    """As players decode it: the silence that an encoder puts first stays."""
    if is_pcm:
        return np.frombuffer(body, "<i2").astype(np.float32) / np.float32(32768), SAMPLE_RATE
    with av.open(io.BytesIO(body), "r") as container:
        rate = container.streams.audio[0].rate
        to_mono = av.AudioResampler("flt", "mono", rate)
        frames = [mono for each in container.decode(audio=0) for mono in to_mono.resample(each)]
    sound = np.concatenate([frame.to_ndarray().ravel() for frame in frames])
    return sound.astype(np.float32, copy=False), rate
