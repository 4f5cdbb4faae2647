"""What the runner and a client's script tell each other: a line of JSON each, over a pipe.

The script runs in the client's own environment, so this module imports the standard library only.
Times are seconds of the machine's monotonic clock, which the server's marks have too.
"""

import asyncio
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Protocol

SENTENCES = (
    "The first sentence is about the weather of today.",
    "The second sentence is a little longer than the first one.",
    "And with the third sentence we are done.",
)
NO_END = "no end"  # the error of a turn that the client neither ends nor gives up


@dataclass(frozen=True, slots=True)
class Order:
    """`act`: speak, interrupt or stop. `after_s`: of sound that was heard before a barge-in."""

    act: str
    sentences: tuple[str, ...] = ()
    after_s: float = 0.0


@dataclass(slots=True)
class Heard:
    """What became of one turn, as the client's own code sees it. `error` None: the client takes the
    turn for whole. `sound_s` is measured in samples."""

    sound_s: float = 0.0
    began_s: float = 0.0  # when the first text was handed to the client
    first_sound_s: float | None = None
    interrupted_s: float | None = None  # when the client was told to stop
    words: list[str] = field(default_factory=list)
    error: str | None = None


class Turn:
    """One turn while it goes on. A client's script tells it what comes."""

    def __init__(self, order: Order, now: Callable[[], float]) -> None:
        self.sentences = order.sentences
        self.heard = Heard(began_s=now())
        self._interrupts = order.act == "interrupt"
        self._after_s = order.after_s
        self._now = now
        self._sounds = asyncio.Event()

    def sound(self, num_samples: int, sample_rate: int) -> None:
        if not num_samples:
            return
        if self.heard.first_sound_s is None:
            self.heard.first_sound_s = self._now()
            self._sounds.set()
            tell({"event": "sound"})
        self.heard.sound_s += num_samples / sample_rate

    def words(self, words: Sequence[str]) -> None:
        self.heard.words += [word for each in words for word in each.split()]

    @property
    def is_over(self) -> bool:
        """Whether the listener interrupts now."""
        first_s = self.heard.first_sound_s
        return self._interrupts and first_s is not None and self._now() - first_s >= self._after_s

    async def interrupts(self, listening: "asyncio.Future[None]") -> bool:
        """Waits until all is heard, or until the listener interrupts. True: the client is told to
        stop right after this."""
        over = asyncio.ensure_future(self._until_over())
        await asyncio.wait({listening, over}, return_when=asyncio.FIRST_COMPLETED)
        over.cancel()
        if listening.done():
            return False
        self.interrupted()
        return True

    async def _until_over(self) -> None:
        await self._sounds.wait()
        await asyncio.sleep(self._after_s if self._interrupts else math.inf)

    def interrupted(self) -> None:
        """Right before the client is told to stop."""
        self.heard.interrupted_s = self._now()


class Client(Protocol):
    async def open(self) -> None: ...

    async def take(self, turn: Turn) -> None:
        """Speaks the sentences of the turn to their end, or until `turn.is_over`. Returns when the
        client's own code says that the turn has ended."""

    async def close(self) -> None: ...


def tell(event: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def run(client: Client, errors: tuple[type[BaseException], ...] = (Exception,)) -> None:
    """Obeys the orders on stdin. `errors`: what the client raises where a turn fails."""
    asyncio.run(_obey_all(client, errors))


async def _obey_all(client: Client, errors: tuple[type[BaseException], ...]) -> None:
    now = asyncio.get_running_loop().time
    await client.open()
    tell({"event": "ready"})
    try:
        while line := await asyncio.to_thread(sys.stdin.readline):
            order = Order(**{**json.loads(line), "sentences": tuple(json.loads(line)["sentences"])})
            if order.act == "stop":
                break
            turn = Turn(order, now)
            try:
                await client.take(turn)
            except errors as error:
                turn.heard.error = f"{type(error).__name__}: {error}"[:300]
            tell({"event": "heard", **asdict(turn.heard)})
    finally:
        await client.close()
