"""Turns of a conversation with a running server: request speech, perhaps cancel it, and read the
server's report of the session.

Client and server must run on one machine. They then share a monotonic clock, and the server's marks
can be compared with the client's times; `Turns.check_clock` refuses another machine. Knows nothing
about percentiles.
"""

import asyncio
import time
import uuid
from dataclasses import dataclass, field
from typing import Literal, get_args

import httpx
from websockets.asyncio.client import ClientConnection

from app.core import TOKENS_PER_S, Mark
from benchmarks.players import connected
from loadtests.spoken_sockets import SOCKETS, SocketVia, SpokenSocket

# whole: a cancel call stops a request for a file. Over a socket a message stops a context.
Via = Literal["http", "disconnect", "whole", SocketVia]
VIAS: tuple[Via, ...] = get_args(Via)
UNANSWERED = ("disconnect", "elevenlabs")  # the server does not answer such a stop
ACK_LEGS = {  # from the stop to the acknowledgement, one after another; None: the client's times
    "to_ingress": (None, Mark.CANCEL_RECEIVED),
    "to_registry": (Mark.CANCEL_RECEIVED, Mark.CANCEL_LOGGED),
    "to_t3": (Mark.CANCEL_LOGGED, Mark.T3_TOLD),
    "last_step": (Mark.T3_TOLD, Mark.T3_STOPPED),
    "confirm": (Mark.T3_STOPPED, Mark.ACKNOWLEDGED),
    "to_client": (Mark.ACKNOWLEDGED, None),
}
REPORTED_WITHIN_S = 5.0  # after a cancel: T3's and the ingress's reports at the registry


@dataclass(slots=True)
class Turn:
    """Times are seconds on the client's clock. `stopped_s` is None if the turn was not stopped."""

    session_id: str
    sent_s: float
    first_audio_s: float | None = None
    last_audio_s: float | None = None
    stopped_s: float | None = None  # the client sent the cancel, or closed the connection
    acknowledged_s: float | None = None
    empty_s: float | None = None  # the empty answer, 204, arrived
    state: str | None = None
    num_bytes: int = 0
    bytes_after_ack: int = 0
    marks: dict[str, float] = field(default_factory=dict)
    legs_ms: dict[str, float] = field(default_factory=dict)
    steps_after: int | None = None
    cells_after: int | None = None
    discarded_s: float = 0.0
    num_tokens: int = 0
    socket_id: str | None = None  # of a turn over a socket; its session is the last take

    @property
    def ttfa_ms(self) -> float | None:
        return None if self.first_audio_s is None else (self.first_audio_s - self.sent_s) * 1000

    @property
    def ack_ms(self) -> float | None:
        return self._since_stop_ms(self.acknowledged_s)

    @property
    def empty_ms(self) -> float | None:
        """From the stop to the empty answer (204) of the speech request; None for other
        answers."""
        return self._since_stop_ms(self.empty_s)

    @property
    def silence_ms(self) -> float | None:
        """From the stop to the last audio that arrived; 0 if none arrived after the stop."""
        ms = self._since_stop_ms(self.last_audio_s)
        return 0.0 if ms is None and self.stopped_s is not None else ms and max(0.0, ms)

    @property
    def engine_ms(self) -> float | None:
        """From the stop to T3's report that no step has the sequence and its slot is free. None if
        T3 had no sequence, or if the sequence had ended by itself."""
        return self._since_stop_ms(self.marks.get(Mark.T3_STOPPED))

    @property
    def ack_legs_ms(self) -> dict[str, float]:
        """They sum up to `ack_ms`. Empty where T3 had nothing to stop, or had not stopped when the
        server answered."""
        at_s = dict(self.marks)
        if self.stopped_s is None or self.acknowledged_s is None:
            return {}
        ends = [(begin or "stopped", end or "acked") for begin, end in ACK_LEGS.values()]
        at_s |= {"stopped": self.stopped_s, "acked": self.acknowledged_s}
        if not all(end in at_s for _, end in ends):
            return {}
        legs_ms = [(at_s[end] - at_s[begin]) * 1000 for begin, end in ends]
        return dict(zip(ACK_LEGS, legs_ms, strict=True)) if min(legs_ms) >= 0 else {}

    @property
    def step_ms(self) -> float | None:
        """The mean time of a T3 step, a token each, up to the stop."""
        begin, end = self.marks.get(Mark.PREFILL), self.marks.get(Mark.LAST_STEP)
        if begin is None or end is None or self.num_tokens < 2:
            return None
        return (end - begin) * 1000 / (self.num_tokens - 1)

    def _since_stop_ms(self, at_s: float | None) -> float | None:
        if at_s is None or self.stopped_s is None:
            return None
        return (at_s - self.stopped_s) * 1000


class Turns:
    def __init__(self, client: httpx.AsyncClient, model: str, voice: str) -> None:
        self._client = client
        self._body: dict[str, object] = {
            "model": model,
            "voice": voice,
            "response_format": "pcm",
        }

    async def check_clock(self) -> None:
        """Raises RuntimeError if the server's clock is not this machine's."""
        turn = await self.listen_to_end("Hello.")
        await self.fetch_report(turn)
        received_s = turn.marks.get(Mark.RECEIVED, 0.0)
        if not turn.sent_s <= received_s <= time.monotonic():
            raise RuntimeError("the server runs on another machine; run it on this one")

    async def listen_to_end(self, text: str) -> Turn:
        turn = Turn(uuid.uuid4().hex, time.monotonic())
        await self._listen(turn, self._body | {"input": text}, asyncio.Event())
        return turn

    async def stop(self, text: str, via: Via, after_s: float, *, after_first_audio: bool) -> Turn:
        """Stops the turn `after_s` after its first audio, or after the request was sent."""
        if (talk := SOCKETS.get(via)) is not None:
            return await self._stop_on_socket(
                talk, text, after_s, after_first_audio=after_first_audio
            )
        turn = Turn(uuid.uuid4().hex, time.monotonic())
        first = asyncio.Event()
        body = self._body | {"input": text, "stream": via != "whole"}
        listening = asyncio.create_task(self._listen(turn, body, first))
        await _until_due(listening, first if after_first_audio else None, after_s)
        turn.stopped_s = time.monotonic()
        if via == "disconnect":
            listening.cancel()
            await asyncio.wait({listening})
        else:
            answer = await self._client.post(f"/cancel/{turn.session_id}")
            turn.acknowledged_s = time.monotonic()
            turn.state = answer.json()["state"]
            await listening
        return turn

    async def _stop_on_socket(
        self, talk: SpokenSocket, text: str, after_s: float, *, after_first_audio: bool
    ) -> Turn:
        socket_id, voice = uuid.uuid4().hex, str(self._body["voice"])
        async with connected(self._client, talk, voice, {"X-Request-ID": socket_id}) as socket:
            turn = Turn(f"{socket_id}-0-0", time.monotonic(), socket_id=socket_id)
            for frame in talk.opening(voice, text, {}):
                await socket.send(frame)
            first = asyncio.Event()
            listening = asyncio.create_task(_listen_on_socket(socket, talk, turn, first))
            await _until_due(listening, first if after_first_audio else None, after_s)
            turn.stopped_s = time.monotonic()
            await socket.send(talk.stop)
            if talk.leave is not None:
                await socket.send(talk.leave)
            await listening
        return turn

    async def fetch_report(self, turn: Turn) -> None:
        """Fills in the server's report of the session when it is complete."""
        if turn.socket_id is not None:
            turn.session_id = await self._last_take(turn.socket_id)
        give_up_s = time.monotonic() + REPORTED_WITHIN_S
        while True:
            answer = await self._client.get(f"/v1/sessions/{turn.session_id}")
            if answer.status_code == httpx.codes.OK:
                body = answer.json()
                turn.marks, turn.legs_ms = body["marks"], body["legs_ms"]
                turn.steps_after = body["steps_after_abort"]
                turn.cells_after = body["cells_after_abort"]
                turn.discarded_s = body["tokens_discarded"] / TOKENS_PER_S
                turn.num_tokens = body["tokens_generated"]
                if body["finish"] != "cancelled" or Mark.T3_STOPPED in turn.marks:
                    return
            if time.monotonic() > give_up_s:  # stopped before T3 had a sequence of it
                return
            await asyncio.sleep(0.1)

    async def _last_take(self, socket_id: str) -> str:
        number = 0
        while True:
            answer = await self._client.get(f"/v1/sessions/{socket_id}-0-{number + 1}")
            if answer.status_code != httpx.codes.OK:
                return f"{socket_id}-0-{number}"
            number += 1

    async def _listen(self, turn: Turn, body: dict[str, object], first: asyncio.Event) -> None:
        headers = {"X-Request-ID": turn.session_id}
        request = self._client.stream("POST", "/v1/audio/speech", json=body, headers=headers)
        async with request as response:
            if not response.is_success:
                await response.aread()
                raise RuntimeError(f"{response.status_code}: {response.text}")
            if response.status_code == httpx.codes.NO_CONTENT:
                turn.empty_s = time.monotonic()
            async for part in response.aiter_raw():
                _note(turn, len(part), first)


async def _until_due(
    listening: "asyncio.Task[None]", first: asyncio.Event | None, after_s: float
) -> None:
    """Waits for the first audio, where it is given, and then `after_s`. Returns at the end of the
    turn if that comes earlier."""
    if first is not None:
        waiting = asyncio.create_task(first.wait())
        await asyncio.wait((listening, waiting), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
    await asyncio.wait({listening}, timeout=after_s)


async def _listen_on_socket(
    socket: ClientConnection, talk: SpokenSocket, turn: Turn, first: asyncio.Event
) -> None:
    """Until the server closes the socket; or until the context is over, where the client closes
    it."""
    async for frame in socket:
        said = talk.read(frame)
        if said.error is not None and turn.stopped_s is None:
            raise RuntimeError(f"the server answered {frame!r}")
        if said.sound:
            _note(turn, len(said.sound), first)
        if said.is_answer and turn.stopped_s is not None:
            turn.acknowledged_s, turn.state = time.monotonic(), said.state
        if said.is_over and talk.leave is None:
            return


def _note(turn: Turn, num_bytes: int, first: asyncio.Event) -> None:
    turn.last_audio_s = time.monotonic()
    turn.num_bytes += num_bytes
    if turn.first_audio_s is None:
        turn.first_audio_s = turn.last_audio_s
        first.set()
    if turn.acknowledged_s is not None:
        turn.bytes_after_ack += num_bytes
