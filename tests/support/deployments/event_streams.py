"""Speech streams that are read to their ends in the background, and how each ended."""

import asyncio
import json
import uuid
from dataclasses import dataclass, field

import httpx

BROKEN_OFF = "broken_off"  # as the error of a stream whose connection ended before its last byte


@dataclass
class Stream:
    session_id: str
    sse: bool = True
    task: "asyncio.Task[None]" = field(init=False)
    heard: asyncio.Event = field(default_factory=asyncio.Event)  # or ended
    status: int = 0
    num_bytes: int = 0
    finish: str | None = None  # of the last event
    error: str | None = None  # the code of the error event; BROKEN_OFF where none came

    @property
    def broke_off(self) -> bool:
        return self.error == BROKEN_OFF

    @property
    def ended_well(self) -> bool:
        """`length` too: the embedded models' random weights rarely end by themselves."""
        has_finish = self.finish in ("stop", "length") or not self.sse
        return self.status == httpx.codes.OK and has_finish and self.error is None


def opened(
    client: httpx.AsyncClient,
    body: dict[str, object],
    *,
    sse: bool = True,
    session_id: str | None = None,
) -> Stream:
    """`sse`: as server-sent events, in which an error has a code; else as raw audio."""
    stream = Stream(session_id or uuid.uuid4().hex, sse)
    body = body | {"stream_format": "sse" if sse else "audio"}
    stream.task = asyncio.ensure_future(_read(client, stream, body))
    return stream


async def until_heard(*streams: Stream) -> None:
    """Returns when each stream has audio, or has ended."""
    await asyncio.gather(*(stream.heard.wait() for stream in streams))


async def _read(client: httpx.AsyncClient, stream: Stream, body: dict[str, object]) -> None:
    headers = {"X-Request-ID": stream.session_id}
    try:
        async with client.stream("POST", "v1/audio/speech", json=body, headers=headers) as response:
            stream.status = response.status_code
            async for line in response.aiter_lines() if stream.sse else response.aiter_raw():
                stream.num_bytes += len(line)
                if isinstance(line, str) and line.startswith("data: "):
                    event = json.loads(line.removeprefix("data: "))
                    stream.error = event.get("error", {}).get("code")
                    stream.finish = event.get("finish_reason")
                if line:
                    stream.heard.set()
    except httpx.TransportError:
        stream.error = stream.error or BROKEN_OFF  # a stream breaks off behind its error event
    finally:
        stream.heard.set()
