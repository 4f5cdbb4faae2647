"""The answer to a speech request: whole, or streamed as audio or as server-sent events.

Nothing is sent before there is sound, so a fault before it is a real status code and 200 always
carries audio. Afterwards a fault breaks raw audio off, and is an event in a stream of events. The
session's generator is closed in every case, before the answer's last bytes: whoever has read the
end finds the session finished. Knows nothing about models or where sound comes from.
"""

import base64
import json
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol
from urllib.parse import quote

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from app.api.connection import while_connected
from app.api.encoding import Progress, encoded
from app.api.errors import error_of
from app.api.services import Services
from app.api.speech_job import SpeechJob, paced
from app.api.stream_faults import StreamFault, with_fault
from app.core import FinishReason

log = logging.getLogger(__name__)


class StreamBroken(Exception):
    """Raised after the headers: the server then breaks the body off, and the client can tell."""


class Framing(Protocol):
    """How encoded audio travels in a body."""

    def audio(self, encoded: bytes) -> bytes: ...

    def done(self, job: SpeechJob, progress: Progress) -> bytes: ...

    def broken(self, fault: Exception) -> bytes:
        """The last bytes after a fault; raises StreamBroken where bytes cannot say it."""
        ...


class RawAudio:
    def audio(self, encoded: bytes) -> bytes:
        return encoded

    def done(self, job: SpeechJob, progress: Progress) -> bytes:
        return b""

    def broken(self, fault: Exception) -> bytes:
        raise StreamBroken(f"broke off: {type(fault).__name__}")


class ServerSentEvents:
    """OpenAI's events, and `speech.audio.error`. `usage.input_tokens` counts characters of the
    normalised input, because nothing here tokenises text; `output_tokens` speech tokens."""

    def audio(self, encoded: bytes) -> bytes:
        return _event("delta", audio=base64.b64encode(encoded).decode("ascii"))

    def done(self, job: SpeechJob, progress: Progress) -> bytes:
        return _event(
            "done",
            usage=usage_of(job.script.num_chars, progress.num_tokens),
            timing=progress.timing_ms(),
            finish_reason=progress.finish,
        )

    def broken(self, fault: Exception) -> bytes:
        return _event("error", error=error_of(fault))


def usage_of(num_chars: int, num_tokens: int) -> dict[str, int]:
    return {
        "input_tokens": num_chars,
        "output_tokens": num_tokens,
        "total_tokens": num_chars + num_tokens,
    }


def _event(kind: str, **fields: object) -> bytes:
    return b"data: " + json.dumps({"type": f"speech.audio.{kind}", **fields}).encode() + b"\n\n"


class SpeechResponse(Response):
    """Speaks when it is called, not before; raises ServeError while no header is out."""

    def __init__(
        self,
        services: Services,
        job: SpeechJob,
        *,
        sse: bool = False,
        whole: bool = False,
    ) -> None:
        self.status_code = 200
        self.background = None
        self._services = services
        self.job = job if whole else paced(job)
        self._whole = whole
        self._progress = Progress()
        self._framing: Framing = ServerSentEvents() if sse else RawAudio()
        self.init_headers(
            {
                "Content-Type": "text/event-stream" if sse else job.options.format.content_type,
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",  # proxies that know it pass each chunk on at once
                "X-Model": quote(services.synthesizer.card().name),
                "X-Voice": quote(job.request.voice),
                "X-Sample-Rate": str(job.options.sample_rate),
                "X-Seed": str(job.request.sampling.seed),
            }
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._send_whole(send) if self._whole else self._send_stream(send)
        try:
            await while_connected(answer, receive)
        finally:
            self._log_end()

    async def _send_whole(self, send: Send) -> None:
        async with aclosing(self._encoded()) as parts:
            collected = b"".join([part async for part in parts])
        if self._progress.finish is FinishReason.CANCELLED:
            await self._send_nothing(send)
            return
        body = self._sealed(collected)
        length = (b"content-length", str(len(body)).encode())
        await send(start_of(200, [*self.raw_headers, length]))
        await send(_body(body, more=False))

    def _sealed(self, collected: bytes) -> bytes:
        options = self.job.options
        num_samples = round(self._progress.audio_s * options.sample_rate)
        return options.format.seal(collected, num_samples, options.sample_rate)

    async def _send_stream(self, send: Send) -> None:
        session_id = self.job.request.key.session_id
        parts = with_fault(self._encoded(), session_id, self._services.refused)
        is_begun, last = False, b""
        async with aclosing(parts):
            async for part in parts:
                if isinstance(part, StreamFault):
                    self._progress.finish = FinishReason.ERROR
                    last = self._framing.broken(part.fault)
                    break
                if not is_begun:
                    is_begun = True
                    await send(start_of(200, self.raw_headers))
                await send(_body(self._framing.audio(part)))
            else:
                last = self._framing.done(self.job, self._progress)
        if is_begun:
            await send(_body(last, more=False))
        else:
            await self._send_nothing(send)

    def _encoded(self) -> AsyncGenerator[bytes, None]:
        return encoded(self._services, self.job, self._progress)

    async def _send_nothing(self, send: Send) -> None:
        """Cancelled before there was anything to hear."""
        headers = [(name, value) for name, value in self.raw_headers if name != b"content-type"]
        await send(start_of(204, headers))
        await send(_body(b"", more=False))

    def _log_end(self) -> None:
        timing = self._progress.timing_ms()
        log.info(
            "session %s: %s, %d characters, %d tokens, %.0f ms of audio, first after %.0f ms, "
            "%.0f ms in all",
            self.job.request.key.session_id,
            self._progress.finish or "not finished",
            self.job.script.num_chars,
            self._progress.num_tokens,
            timing["audio_ms"],
            timing["first_audio_ms"],
            timing["total_ms"],
        )


def start_of(status: int, headers: list[tuple[bytes, bytes]]) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers}


def _body(part: bytes, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": part, "more_body": more}
