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
from typing import Literal

import httpx

from app.core import TOKENS_PER_S, Mark

Via = Literal["http", "disconnect", "whole"]  # whole: a cancel call stops a request for a file
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
        turn = Turn(uuid.uuid4().hex, time.monotonic())
        first = asyncio.Event()
        body = self._body | {"input": text, "stream": via != "whole"}
        listening = asyncio.ensure_future(self._listen(turn, body, first))
        if after_first_audio:
            waiting = asyncio.ensure_future(first.wait())
            await asyncio.wait({listening, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
        await asyncio.wait({listening}, timeout=after_s)
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

    async def fetch_report(self, turn: Turn) -> None:
        """Fills in the server's report of the session when it is complete."""
        give_up_s = time.monotonic() + REPORTED_WITHIN_S
        while True:
            answer = await self._client.get(f"/v1/sessions/{turn.session_id}")
            if answer.status_code == httpx.codes.OK:
                body = answer.json()
                turn.marks, turn.legs_ms = body["marks"], body["legs_ms"]
                turn.steps_after = body["steps_after_abort"]
                turn.cells_after = body["cells_after_abort"]
                turn.discarded_s = body["tokens_discarded"] / TOKENS_PER_S
                if body["finish"] != "cancelled" or Mark.T3_STOPPED in turn.marks:
                    return
            if time.monotonic() > give_up_s:  # stopped before T3 had a sequence of it
                return
            await asyncio.sleep(0.1)

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
                turn.last_audio_s = time.monotonic()
                turn.num_bytes += len(part)
                if turn.first_audio_s is None:
                    turn.first_audio_s = turn.last_audio_s
                    first.set()
                if turn.acknowledged_s is not None:
                    turn.bytes_after_ack += len(part)
