"""The process that decodes sound files (decoder_process.py), seen from the processes that start it.

Each file gets a process of its own, so that a file can harm no other one. Imports no decoder. Knows
nothing about voices.
"""

import asyncio
import json
import logging
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.voices.unusable_sound import UnusableSound

log = logging.getLogger(__name__)

WITHIN_S = 30.0
NICE = 10  # the engines that speak come first


class Purpose(StrEnum):
    """Whose file it is and what is wanted of it. It decides the limits and the answer."""

    UPLOAD = "upload"  # a caller's: its spoken part as a FLAC file, and what was heard
    STORED = "stored"  # the FLAC file that was made of an upload: its samples
    SPOKEN = "spoken"  # an operator's: the samples of its spoken part
    WHOLE = "whole"  # an operator's: its samples as they are, at its own rate


@dataclass(frozen=True, slots=True)
class Decoded:
    told: dict[str, Any]  # `rate`; of an upload `seconds` and `heard` too
    sound: bytes  # a FLAC file, or mono samples as float32


async def decode(content: bytes, purpose: Purpose) -> Decoded:
    """Raises UnusableSound, also where the process dies or takes longer than WITHIN_S."""
    process = await asyncio.create_subprocess_exec(
        *command(purpose),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    _yield_to_engines(process.pid)
    try:
        async with asyncio.timeout(WITHIN_S):
            answer, _ = await process.communicate(content)
    except TimeoutError:
        raise _too_slow() from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return _parse(process.returncode, answer)


def decode_blocking(content: bytes, purpose: Purpose) -> Decoded:
    """As `decode`, for a thread without an event loop."""
    with subprocess.Popen(
        command(purpose),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        _yield_to_engines(process.pid)
        try:
            answer, _ = process.communicate(content, timeout=WITHIN_S)
        except subprocess.TimeoutExpired:
            raise _too_slow() from None
        finally:
            process.kill()  # does nothing where it has ended
    return _parse(process.returncode, answer)


def command(purpose: Purpose) -> tuple[str, ...]:
    return (sys.executable, "-W", "ignore", "-m", "app.voices.decoder_process", purpose.value)


def _yield_to_engines(pid: int) -> None:
    with suppress(OSError):  # it has ended already, or a sandbox refuses
        os.setpriority(os.PRIO_PROCESS, pid, NICE)


def _too_slow() -> UnusableSound:
    return UnusableSound("takes too long to decode")


def _parse(status: int | None, answer: bytes) -> Decoded:
    line, _, sound = answer.partition(b"\n")
    if status != 0 or not line:
        log.warning("a decoding process ended with status %s", status)
        raise UnusableSound("cannot be decoded")
    told = json.loads(line)
    if "refused" in told:
        raise UnusableSound(told["refused"])
    return Decoded(told, sound)
