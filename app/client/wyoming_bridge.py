"""A bridge from the Wyoming protocol, which Home Assistant speaks, to a running server.

A text in pieces goes to the server's WebSocket as it comes, and its sound comes back as it is made.
A whole text is one request: its client waits for the end of the sound, so that the sound must not
be sent at the pace of its playback. A client that hangs up stops its speech. After an error the
bridge hangs up: the end of the sound would stand for a whole speech. Speech that was cut by a limit
or a guard is played to its end: an error comes before it.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event, Eventable
from wyoming.info import Attribution, Describe, Info, TtsProgram, TtsVoice
from wyoming.ping import Ping, Pong
from wyoming.server import AsyncEventHandler, AsyncServer
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
    SynthesizeVoice,
)

from app.client.socket_speech import STREAM_BYTES, stream_address
from app.client.speech_client import RequestFailed, key_headers, unreachable
from app.core import SAMPLE_RATE, FinishReason

log = logging.getLogger(__name__)

CONTEXT = "wyoming"
PART_BYTES = 4096  # of a chunk of a whole text
WITHIN_S = httpx.Timeout(600.0, connect=5.0)
_MADE_BY = Attribution("Resemble AI", "https://github.com/resemble-ai/chatterbox")
_SOUND = {"rate": SAMPLE_RATE, "width": 2, "channels": 1}


def run(url: str, listen: str) -> None:
    """Serves until it is interrupted. `listen`: as tcp://127.0.0.1:10200. Raises RequestFailed
    where that is no address."""
    try:
        server = AsyncServer.from_uri(listen)
    except ValueError as error:
        raise RequestFailed(f"--listen {listen}: {error}") from error
    asyncio.run(serve(url, server))


async def serve(url: str, server: AsyncServer) -> None:
    headers = key_headers()
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=WITHIN_S) as http:
        await server.run(lambda reader, writer: Bridge(reader, writer, url.rstrip("/"), http))


class Bridge(AsyncEventHandler):
    """One connection of a client."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        url: str,
        http: httpx.AsyncClient,
    ) -> None:
        super().__init__(reader, writer)
        self._url = url
        self._http = http
        self._pieces: asyncio.Queue[str | None] | None = None  # of the text that is coming
        self._speeches: list[asyncio.Task[None]] = []  # that have not ended, in order

    async def handle_event(self, event: Event) -> bool:
        """False hangs up."""
        try:
            await self._obey(event)
        except (KeyError, TypeError, AttributeError) as error:
            return await self._fail(f"a field of {event.type} is missing or wrong: {error}")
        except RequestFailed as error:
            return await self._fail(str(error))
        return True

    async def _obey(self, event: Event) -> None:
        if Describe.is_type(event.type):
            await self._tell(await self._info())
        elif Ping.is_type(event.type):
            await self._tell(Pong(Ping.from_event(event).text))
        elif SynthesizeStart.is_type(event.type):
            self._pieces = asyncio.Queue()
            start = SynthesizeStart.from_event(event)
            self._start(self._speak_pieces(self._pieces, start.voice))
        elif SynthesizeChunk.is_type(event.type) and self._pieces is not None:
            self._pieces.put_nowait(SynthesizeChunk.from_event(event).text)
        elif SynthesizeStop.is_type(event.type) and self._pieces is not None:
            self._pieces.put_nowait(None)
            self._pieces = None
        elif Synthesize.is_type(event.type) and self._pieces is None:
            # Beside the pieces of a text Home Assistant sends it whole, for servers without pieces.
            whole = Synthesize.from_event(event)
            self._start(self._speak_whole(whole.text, whole.voice))

    def _start(self, speech: Coroutine[Any, Any, None]) -> None:
        earlier = [task for task in self._speeches if not task.done()]
        task = asyncio.create_task(self._after(earlier, speech))
        task.add_done_callback(lambda _: speech.close())  # in case it never began
        self._speeches = [*earlier, task]

    async def _after(
        self, earlier: "list[asyncio.Task[None]]", speech: Coroutine[Any, Any, None]
    ) -> None:
        try:
            if earlier:
                await asyncio.wait(earlier)
            await speech
        except (RequestFailed, OSError) as error:
            await self._fail(str(error))
            await self.stop()

    async def disconnect(self) -> None:
        """The client has left: its speech is stopped."""
        for task in self._speeches:
            task.cancel()
        if self._speeches:
            await asyncio.wait(self._speeches)

    async def _tell(self, message: Eventable) -> None:
        await self.write_event(message.event())

    async def _fail(self, message: str) -> bool:
        log.warning("%s", message)
        try:
            await self._tell(Error(message))
        except ConnectionError:
            log.info("the client left before it was told")
        return False

    # Speaking

    async def _speak_pieces(
        self, pieces: "asyncio.Queue[str | None]", voice: SynthesizeVoice | None
    ) -> None:
        options = await self._options(voice)
        async with self._socket() as socket:
            await _send(socket, "start", audio="binary", **options)
            pushing = asyncio.create_task(_push(socket, pieces))
            try:
                await self._tell(AudioStart(**_SOUND))
                async for frame in socket:
                    if isinstance(frame, bytes):
                        await self._tell(AudioChunk(**_SOUND, audio=frame[STREAM_BYTES:]))
                    elif (finish := _finish_of(frame)) is not None:
                        await self._tell_cut(finish)
                        await self._tell(AudioStop())
                        await self._tell(SynthesizeStopped())
                        return
            finally:
                pushing.cancel()
            raise RequestFailed("the server closed the socket before the end of the speech")

    async def _speak_whole(self, text: str, voice: SynthesizeVoice | None) -> None:
        options = await self._options(voice)
        body = {**options, "input": text, "response_format": "pcm", "stream": False}
        answer = await self._ask("POST", "/v1/audio/speech", body)
        pcm, finish = answer.content, answer.headers.get("X-Finish-Reason", "stop")
        await self._tell(AudioStart(**_SOUND))
        for start in range(0, len(pcm), PART_BYTES):
            await self._tell(AudioChunk(**_SOUND, audio=pcm[start : start + PART_BYTES]))
        await self._tell_cut(finish)
        await self._tell(AudioStop())

    async def _tell_cut(self, finish: str) -> None:
        """Before the end of a speech that misses words. What was made of it is heard."""
        if finish != FinishReason.STOP:
            message = f"words may be missing: a segment ended with the finish {finish}"
            log.warning("%s", message)
            await self._tell(Error(message, code="speech_cut"))

    async def _options(self, voice: SynthesizeVoice | None) -> dict[str, str]:
        """A client may name a voice, a language or nothing."""
        model = await self._model()
        options = {"model": str(model["id"])}
        if voice is not None and voice.language and model["languages"]:
            options["language"] = voice.language.partition("-")[0].partition("_")[0]
        named = None if voice is None else voice.name
        options["voice"] = named or (await self._voices())[0]["id"]
        return options

    async def _info(self) -> Info:
        model = await self._model()
        voices = [
            TtsVoice(
                name=voice["id"],
                description=voice["name"],
                attribution=_MADE_BY,
                installed=True,
                version=None,
                languages=list(model["languages"]) or ["en"],
            )
            for voice in await self._voices()
        ]
        program = TtsProgram(
            name="chatterbox-serve",
            description=f"Chatterbox, {model['family']}",
            attribution=_MADE_BY,
            installed=True,
            version=None,
            voices=voices,
            supports_synthesize_streaming=True,
        )
        return Info(tts=[program])

    # The server

    async def _model(self) -> dict[str, Any]:
        model: dict[str, Any] = (await self._ask("GET", "/v1/models")).json()["data"][0]
        return model

    async def _voices(self) -> list[dict[str, Any]]:
        voices: list[dict[str, Any]] = (await self._ask("GET", "/v1/audio/voices")).json()["voices"]
        return voices

    async def _ask(
        self, method: str, path: str, body: dict[str, object] | None = None
    ) -> httpx.Response:
        try:
            response = await self._http.request(method, path, json=body)
        except httpx.ConnectError as error:
            raise unreachable(self._url, error) from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise RequestFailed(f"{self._url}: {error or type(error).__name__}") from error
        if response.status_code != 200:  # 204: cancelled
            raise RequestFailed(f"the server answered {response.status_code}: {response.text}")
        return response

    @asynccontextmanager
    async def _socket(self) -> AsyncIterator[ClientConnection]:
        address = stream_address(self._url)
        try:
            async with connect(
                address, additional_headers=key_headers(), max_size=None, proxy=None
            ) as socket:
                yield socket
        except InvalidStatus as error:
            status = error.response.status_code
            raise RequestFailed(f"the server refused the socket with status {status}") from error
        except WebSocketException as error:
            raise RequestFailed(f"{self._url}: {error}") from error


async def _push(socket: ClientConnection, pieces: "asyncio.Queue[str | None]") -> None:
    while (piece := await pieces.get()) is not None:
        await _send(socket, "text", text=piece)
    await _send(socket, "close")


async def _send(socket: ClientConnection, kind: str, **fields: object) -> None:
    await socket.send(json.dumps({"type": kind, "context_id": CONTEXT, **fields}))


def _finish_of(frame: str) -> str | None:
    """Of a message that is the end of a speech. Raises RequestFailed where the speech failed or was
    cancelled."""
    message = json.loads(frame)
    if message["type"] == "error":
        raise RequestFailed(str(message["error"]["message"]))
    if message["type"] != "done":
        return None
    if message["finish_reason"] == "cancelled":
        raise RequestFailed("the speech was cancelled by another request")
    return str(message["finish_reason"])
