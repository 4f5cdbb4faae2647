"""The clients, and what is measured of each."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import NamedTuple


class ClientOf(NamedTuple):
    label: str
    environment: str
    module: str
    dialect: str  # what it speaks; the script's second argument where it has several

    @property
    def arguments(self) -> list[str]:
        return [self.dialect] if self.environment != "sdks" else []


_FRAMEWORKS = ("openai", "cartesia", "elevenlabs", "deepgram")
CLIENTS = (
    ClientOf("own socket", "sdks", "own_socket", "websocket"),
    ClientOf("openai SDK", "sdks", "openai_sdk", "openai"),
    ClientOf("cartesia SDK", "sdks", "cartesia_sdk", "cartesia"),
    ClientOf("elevenlabs SDK", "sdks", "elevenlabs_sdk", "elevenlabs"),
    ClientOf("deepgram SDK", "sdks", "deepgram_sdk", "deepgram"),
    *(ClientOf(f"Pipecat {name}", "pipecat", "pipecat_tts", name) for name in _FRAMEWORKS),
    *(ClientOf(f"LiveKit {name}", "livekit", "livekit_tts", name) for name in _FRAMEWORKS),
)


@dataclass(slots=True)
class Row:
    """`None`: not measured. `trouble`: what went otherwise than it should, a line each."""

    client: str
    heard_s: float | None = None  # of three sentences
    sent_s: float | None = None  # the same, as the server counts
    first_sound_ms: list[float] = field(default_factory=list)
    words: str | None = None  # in order, out of order, none
    stop_ms: list[float] = field(default_factory=list)  # from a barge-in to the stop of T3
    tokens_after: list[int] = field(default_factory=list)  # made after it
    fault: str | None = None  # what the client tells of a vocoder that was killed
    refusal: str | None = None  # what it tells of a server without room
    recovers: bool | None = None
    survives_idle: bool | None = None
    trouble: list[str] = field(default_factory=list)

    @property
    def works(self) -> bool:
        return self.heard_s is not None and not self.trouble

    def as_json(self) -> dict[str, object]:
        return {**asdict(self), "works": self.works}


HEAD = (
    "client",
    "works",
    "sound heard / sent",
    "first sound p50",
    "words",
    "barge-in → T3 stopped p95",
    "tokens after it, p95",
    "vocoder killed",
    "no room, then room",
    "idle, then a turn",
)


def table(rows: list[Row], idle_s: float) -> str:
    lines = [" | ".join(HEAD), " | ".join("---" for _ in HEAD)]
    lines += [" | ".join(_cells(row, idle_s)) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _cells(row: Row, idle_s: float) -> list[str]:
    first = f"{median(row.first_sound_ms):.0f} ms" if row.first_sound_ms else "-"
    stop = f"{_p95(row.stop_ms):.0f} ms ({len(row.stop_ms)})" if row.stop_ms else "-"
    sound = "-" if row.heard_s is None else f"{row.heard_s:.2f} / {row.sent_s:.2f} s"
    refusal = "-"
    if row.refusal is not None:
        refusal = f"{row.refusal}; {'speaks again' if row.recovers else 'stays silent'}"
    idle = {None: "-", True: f"speaks after {idle_s:g} s", False: "fails"}[row.survives_idle]
    return [
        row.client,
        "yes" if row.works else "**no**",
        sound,
        first,
        row.words or "-",
        stop,
        f"{_p95(row.tokens_after):.0f}" if row.tokens_after else "-",
        row.fault or "-",
        refusal,
        idle,
    ]


def _p95(values: Sequence[float]) -> float:
    return sorted(values)[min(len(values) - 1, round(0.95 * (len(values) - 1) + 0.4999))]
