"""Uploaded recordings are decoded and checked in another process. Knows nothing about voices."""

import asyncio
import json
import logging
import os
import sys
from contextlib import suppress
from dataclasses import dataclass

from app.errors import BadRequest
from app.voices.speech_activity import Heard, parse_heard

log = logging.getLogger(__name__)

MAX_BYTES = 10 * 1024 * 1024
WITHIN_S = 30.0
MAX_PROCESSES = 2
NICE = 10  # the engines that speak come first


@dataclass(frozen=True, slots=True)
class Recording:
    """From its first to its last word."""

    flac: bytes  # mono, 24 kHz, 16 bit
    seconds: float
    heard: Heard


class RecordingReader:
    def __init__(self) -> None:
        self._places = asyncio.Semaphore(MAX_PROCESSES)

    async def read(self, content: bytes, param: str) -> Recording:
        """Raises BadRequest with the problem. `param` is the request's field with the file."""
        async with self._places:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-W", "ignore", "-m", "app.voices.decoder_process"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            with suppress(OSError):  # it has ended already, or a sandbox refuses
                os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
            try:
                async with asyncio.timeout(WITHIN_S):
                    answer, _ = await process.communicate(content)
            except TimeoutError:
                raise _refusal("takes too long to decode", param) from None
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        line, _, flac = answer.partition(b"\n")
        if process.returncode != 0 or not line:
            log.warning("a decoding process ended with status %s", process.returncode)
            raise _refusal("cannot be decoded", param)
        verdict = json.loads(line)
        if "refused" in verdict:
            raise _refusal(verdict["refused"], param)
        return Recording(flac, verdict["seconds"], parse_heard(verdict["heard"]))


def _refusal(problem: str, param: str) -> BadRequest:
    return BadRequest(f"{param}: the recording {problem}", param=param, code="invalid_audio")
