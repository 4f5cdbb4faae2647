"""What breaks an answer off once its headers are out: the body alone can tell it now."""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import NamedTuple, TypeVar

from app.api.errors import CountRefusal, code_of

log = logging.getLogger(__name__)

T = TypeVar("T")


class StreamFault(NamedTuple):
    fault: Exception


async def with_fault(
    parts: AsyncGenerator[T, None], session_id: str, refused: CountRefusal
) -> AsyncGenerator[T | StreamFault, None]:
    """`parts`, and last what broke them off, if anything did: logged and counted. What fails before
    the first part is raised, for it still becomes a status code."""
    is_begun = False
    try:
        async with aclosing(parts):
            async for part in parts:
                is_begun = True
                yield part
    except Exception as fault:  # any: whoever listens must be told
        if not is_begun:
            raise
        log.exception("session %s failed", session_id)
        refused(code_of(fault))
        yield StreamFault(fault)
