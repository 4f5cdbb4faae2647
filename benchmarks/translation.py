"""Measures what the translation of a vendor's messages costs, beside that of our own socket.

    python benchmarks/translation.py --turns 2000

Needs no server. Each turn reads the frames of a text and of a stop, and writes 2 s of sound with
its words, as app/api/speech_socket.py has it done. The protocols alternate turn by turn, so a busy
machine slows all of them alike. The floor is our own protocol, which has the same JSON and base64
and no translation. Exits with 1 where the worst message of a vendor's protocol costs over 2 ms more
than that of our own at p95. The last line is one JSON object.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from app.api.dialects.cartesia import Cartesia
from app.api.dialects.deepgram import Deepgram
from app.api.dialects.deepgram_fields import socket_opening
from app.api.dialects.dialect import Dialect, Opening, ServerMessage
from app.api.dialects.elevenlabs import ElevenLabs
from app.api.dialects.elevenlabs_fields import SocketQuery
from app.api.dialects.own import OwnProtocol
from app.api.events import words_of
from app.core import SAMPLE_RATE
from app.spoken_words import SpokenWord
from benchmarks.measure import say
from loadtests.spoken_sockets import SOCKETS, SocketVia
from loadtests.summary import percentiles

MOST_MS = 2.0  # more than our own protocol, at p95
TEXT = "Your parcel left our warehouse this morning and should reach you before noon tomorrow."
SOUND = bytes(2 * 2 * SAMPLE_RATE)  # 2 s of 16 bit samples
OWN: SocketVia = "websocket"
QUERY = SocketQuery("anna", output_format="pcm_24000")
PROTOCOLS: dict[SocketVia, Callable[[], Dialect]] = {
    OWN: OwnProtocol,
    "cartesia": lambda: Cartesia(()),
    "elevenlabs": lambda: ElevenLabs(QUERY, (), is_multi=True),
    "deepgram": lambda: Deepgram(socket_opening({}, "anna", ())),
}
WHATS = ("a text", "a stop", "sound")


@dataclass(frozen=True, slots=True)
class Translation:
    """What one protocol took, in ms."""

    text_ms: list[float] = field(default_factory=list)
    stop_ms: list[float] = field(default_factory=list)
    sound_ms: list[float] = field(default_factory=list)

    def p95_ms(self) -> dict[str, float]:
        each = zip(WHATS, (self.text_ms, self.stop_ms, self.sound_ms), strict=True)
        return {what: float(percentiles(ms)["p95"] or 0.0) for what, ms in each}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--turns", type=int, default=2000, help="of each protocol")
    p95_ms = measure(parser.parse_args().turns)
    for name, costs in p95_ms.items():
        say(f"{name:>12}  " + "  ".join(f"{what} {ms:.3f} ms" for what, ms in costs.items()))
    more_ms = {name: extra_ms(costs, p95_ms[OWN]) for name, costs in p95_ms.items() if name != OWN}
    passed = max(more_ms.values()) <= MOST_MS
    result = {"p95_ms": p95_ms, "more_than_own_p95_ms": more_ms, "passed": passed}
    say(json.dumps({"benchmark": "translation", **result}))
    return 0 if passed else 1


def measure(num_turns: int) -> dict[str, dict[str, float]]:
    """p95 in ms, by protocol and by what was translated."""
    took = {name: Translation() for name in PROTOCOLS}
    for _ in range(num_turns):
        for name, dialect_of in PROTOCOLS.items():
            take_turn(name, dialect_of(), took[name])
    return {name: each.p95_ms() for name, each in took.items()}


def extra_ms(costs: Mapping[str, float], own: Mapping[str, float]) -> float:
    """Of the message that costs most beside that of our own protocol."""
    return max(costs[what] - own[what] for what in WHATS)


def take_turn(name: SocketVia, dialect: Dialect, took: Translation) -> None:
    client = SOCKETS[name]
    frames = client.opening("anna", TEXT, {"timestamps": "word"} if name == OWN else {})
    began_s = time.perf_counter()
    steps = [step for frame in frames for step in dialect.read(frame)]
    took.text_ms.append(ms_since(began_s))
    context_id = next(step.context_id for step in steps if isinstance(step, Opening))
    words = ServerMessage("words", context_id, 0, words_of(WORDS))
    sound = ServerMessage("audio", context_id, 0, sound=SOUND)
    began_s = time.perf_counter()
    told = [*dialect.write(words), *dialect.write(sound)]
    took.sound_ms.append(ms_since(began_s))
    if not told:
        raise RuntimeError(f"{name}: no sound was told")
    began_s = time.perf_counter()
    if not list(dialect.read(client.stop)):
        raise RuntimeError(f"{name}: nothing was stopped")
    took.stop_ms.append(ms_since(began_s))


def ms_since(began_s: float) -> float:
    return (time.perf_counter() - began_s) * 1e3


def spoken_words(text: str) -> list[SpokenWord]:
    """A word each 0.1 s."""
    words, at = text.split(), 0
    told = []
    for number, word in enumerate(words):
        at = text.index(word, at)
        told.append(SpokenWord(word, at, at + len(word), number * 100.0, number * 100.0 + 90.0))
    return told


WORDS = spoken_words(TEXT)


if __name__ == "__main__":
    sys.exit(main())
