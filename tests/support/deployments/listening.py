"""Streams of events that are heard to their ends, and how each ended."""

import asyncio
import json
import uuid
from dataclasses import dataclass, field

import httpx


@dataclass
class Stream:
    session_id: str
    task: "asyncio.Task[None]" = field(init=False)
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    status: int = 0
    finish: str | None = None  # of its last event
    error: str | None = None  # the code of its error event, or "broke off"

    @property
    def ended_well(self) -> bool:
        """`length` too: the embedded models' random weights end nothing by themselves."""
        spoken = self.finish in ("stop", "length")
        return self.status == httpx.codes.OK and spoken and self.error is None


def opened(client: httpx.AsyncClient, body: dict[str, object]) -> Stream:
    stream = Stream(uuid.uuid4().hex)
    stream.task = asyncio.ensure_future(_listen(client, stream, body | {"stream_format": "sse"}))
    return stream


async def until_heard(streams: list[Stream]) -> None:
    await asyncio.gather(*(stream.heard.wait() for stream in streams))


async def _listen(client: httpx.AsyncClient, stream: Stream, body: dict[str, object]) -> None:
    headers = {"X-Request-ID": stream.session_id}
    try:
        async with client.stream("POST", "v1/audio/speech", json=body, headers=headers) as response:
            stream.status = response.status_code
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    event = json.loads(line.removeprefix("data: "))
                    stream.error = event.get("error", {}).get("code")
                    stream.finish = event.get("finish_reason")
                    stream.heard.set()
    except httpx.TransportError:
        stream.error = "broke off"
    finally:
        stream.heard.set()  # or never will be
