"""An uploaded recording, decoded by a process that may die of it. Knows nothing about voices."""

import asyncio
import json
import logging
import sys
from dataclasses import dataclass

from app.errors import BadRequest

log = logging.getLogger(__name__)

MAX_BYTES = 10 * 1024 * 1024
WITHIN_S = 30.0
AT_ONCE = 2  # decoding processes


@dataclass(frozen=True, slots=True)
class Recording:
    flac: bytes  # mono, 24 kHz, 16 bit
    seconds: float


class RecordingReader:
    def __init__(self) -> None:
        self._free = asyncio.Semaphore(AT_ONCE)

    async def read(self, content: bytes, param: str) -> Recording:
        """Raises BadRequest with the reason; `param` is the field that held the file."""
        async with self._free:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-W", "ignore", "-m", "app.voices.decoder_process"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
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
            log.warning("a decoding process ended with %s", process.returncode)
            raise _refusal("cannot be decoded", param)
        told = json.loads(line)
        if "refused" in told:
            raise _refusal(told["refused"], param)
        return Recording(flac, told["seconds"])


def _refusal(fault: str, param: str) -> BadRequest:
    return BadRequest(f"{param}: the recording {fault}", param=param, code="invalid_audio")
