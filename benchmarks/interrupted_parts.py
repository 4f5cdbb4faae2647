"""What a listener interrupts, for the benchmark of the cancel chain: a player, a language model and
speech of a running server."""

import asyncio
import json
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx

from app.core import SAMPLE_RATE, Mark
from benchmarks.players import REFUSED_WITH

BLOCK_S = 0.01  # of a sound card
BLOCK_BYTES = round(SAMPLE_RATE * BLOCK_S) * 2
TOKEN_S = 0.02
REPORTED_WITHIN_S = 5.0
TEXT = (
    "I can tell you a good deal about that. First of all there are three ways to get there, and "
    "each of them has its own price, which depends on the day and on the hour. "
) * 3


class Player:
    """Plays blocks of 10 ms as a sound card takes them. A block that has begun plays to its end."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._rest = b""
        self.plays = asyncio.Event()
        self._task = asyncio.create_task(self._play())

    def feed(self, pcm: bytes) -> None:
        pcm = self._rest + pcm
        whole = len(pcm) // BLOCK_BYTES * BLOCK_BYTES
        self._waiting += [pcm[at : at + BLOCK_BYTES] for at in range(0, whole, BLOCK_BYTES)]
        self._rest = pcm[whole:]

    async def silence(self) -> None:
        """Returns when the block that plays has ended."""
        self._waiting.clear()
        await asyncio.sleep(BLOCK_S)

    async def aclose(self) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _play(self) -> None:
        due_s = time.monotonic()
        while True:
            if self._waiting:
                self._waiting.popleft()
                self.plays.set()
            due_s = max(due_s + BLOCK_S, time.monotonic())
            await asyncio.sleep(due_s - time.monotonic())


class Speech:
    """A session of a running server, heard by a player."""

    def __init__(self, client: httpx.AsyncClient, model: str, voice: str, player: Player) -> None:
        self.session_id = uuid.uuid4().hex
        self._client = client
        self._player = player
        self._body = {"model": model, "voice": voice, "input": TEXT, "response_format": "pcm"}
        self._is_stopped = False
        self._task = asyncio.create_task(self._listen())

    async def until_it_plays(self) -> None:
        waiting = asyncio.create_task(self._player.plays.wait())
        await asyncio.wait({waiting, self._task}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not self._player.plays.is_set():
            self._task.result()
            raise RuntimeError("the speech ended before it began")

    async def cancel(self) -> None:
        """Returns when the server has acknowledged."""
        self._is_stopped = True
        answer = await self._client.post(f"/cancel/{self.session_id}")
        if answer.status_code not in (200, 202):
            raise RuntimeError(f"the cancel was answered {answer.status_code}: {answer.text}")

    async def hang_up(self) -> None:
        """Returns when the connection that carries the sound is closed."""
        self._is_stopped = True
        self._task.cancel()
        await asyncio.wait({self._task})

    async def t3_stopped_s(self) -> float | None:
        """The server's mark. None: T3 had nothing to stop."""
        give_up_s = time.monotonic() + REPORTED_WITHIN_S
        while time.monotonic() < give_up_s:
            answer = await self._client.get(f"/v1/sessions/{self.session_id}")
            if answer.is_success and answer.json()["finish"] is not None:
                marks: dict[str, float] = answer.json()["marks"]
                return marks.get(Mark.T3_STOPPED)
            await asyncio.sleep(0.05)
        return None

    async def _listen(self) -> None:
        """A server without room is asked again when it says so."""
        while (again_s := await self._speak()) is not None:
            await asyncio.sleep(again_s)
            self.session_id = uuid.uuid4().hex

    async def _speak(self) -> float | None:
        """None: it was heard. Else the seconds after which the server may have room."""
        headers = {"X-Request-ID": self.session_id}
        request = self._client.stream("POST", "/v1/audio/speech", json=self._body, headers=headers)
        async with request as response:
            if response.status_code in REFUSED_WITH:
                return float(response.headers.get("Retry-After", 1))
            response.raise_for_status()
            async for part in response.aiter_raw():
                if not self._is_stopped:
                    self._player.feed(part)
        return None


class LanguageModel:
    """Reads the stream of a language model until it is cancelled. A model that needs `floor_s` to
    stop is acknowledged no earlier."""

    def __init__(self, client: httpx.AsyncClient, url: str, floor_s: float) -> None:
        self._floor_s = floor_s
        self._streams = asyncio.Event()
        self._task = asyncio.create_task(self._read(client, url))

    async def until_it_streams(self) -> None:
        await self._streams.wait()

    async def cancel(self) -> None:
        floor = asyncio.create_task(asyncio.sleep(self._floor_s))
        self._task.cancel()
        await asyncio.wait({self._task, floor})

    async def _read(self, client: httpx.AsyncClient, url: str) -> None:
        body = {"model": "scripted", "stream": True, "messages": []}
        async with client.stream("POST", url, json=body) as response:
            async for _ in response.aiter_raw():
                self._streams.set()


@asynccontextmanager
async def scripted_language_model() -> AsyncIterator[str]:
    """The URL of an HTTP server that streams a token each 20 ms, without an end."""
    answering: set[asyncio.Task[object]] = set()
    is_over = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        answering.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await _stream_tokens(reader, writer, is_over)
        finally:
            writer.close()
            answering.discard(task)

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/chat/completions"
    finally:
        is_over.set()
        server.close()
        await asyncio.gather(*answering)


async def _stream_tokens(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_over: asyncio.Event
) -> None:
    """Until the client leaves, or the server ends."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
    writer.write(b"Connection: close\r\n\r\n")
    token = json.dumps({"choices": [{"delta": {"content": "word "}}]})
    while not (writer.is_closing() or reader.at_eof() or is_over.is_set()):
        writer.write(f"data: {token}\n\n".encode())
        await writer.drain()
        await asyncio.sleep(TOKEN_S)
