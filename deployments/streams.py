"""The only way to consume a handle's stream: owned, and cancelled when its owner leaves. And the
only way to give one: held, and its session ended when its consumer leaves.

Serve's own propagation loses 12-68 % of the cancels in a storm of disconnects, and leaving the
loop does not stop the producer; an explicit cancel in `finally` at every hop loses none. Ray's
exceptions become ours here and nowhere else.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Protocol, TypeVar

from ray.exceptions import RayError, RayTaskError, TaskCancelledError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError, RayServeException
from ray.serve.handle import DeploymentResponseGenerator

from app.core import FinishReason, SessionKey
from app.errors import Overloaded, ServeError, SynthesisFailed, Unavailable
from app.sessions.leases import Leases

ItemT = TypeVar("ItemT")
Left = Callable[[SessionKey], None]


async def owned(generator: "DeploymentResponseGenerator[ItemT]") -> AsyncGenerator[ItemT, None]:
    """The stream's items. Close this (`aclosing`) and the producer stops."""
    try:
        async for item in generator:
            yield item
    except TaskCancelledError:  # Serve's RequestCancelledError is one
        raise asyncio.CancelledError from None
    except (RayError, RayServeException) as fault:
        raise translated(fault) from fault
    finally:
        with suppress(RayServeException):  # refused before it had a producer: cancel() raises that
            generator.cancel()


class _Part(Protocol):
    @property
    def finish(self) -> FinishReason | None: ...


PartT = TypeVar("PartT", bound=_Part)


async def held(
    parts: AsyncGenerator[PartT, None], key: SessionKey, leases: Leases, left: Left
) -> AsyncGenerator[PartT, None]:
    """A stage's stream of one session, which it works on while this is open. `left` is told of a
    consumer that goes before the end."""
    finish = None
    with leases.held(key):
        try:
            async with aclosing(parts) as given:
                async for part in given:
                    finish = part.finish
                    yield part
        except (asyncio.CancelledError, GeneratorExit):
            if finish is None:
                left(key)
            raise


def translated(fault: Exception) -> ServeError:
    """What a failed call on a handle means to us."""
    if isinstance(fault, RayTaskError):
        if isinstance(fault.cause, ServeError):
            return fault.cause
        return SynthesisFailed("a stage failed in this session")
    if isinstance(fault, BackPressureError):
        return Overloaded("every slot and every place in the queue is taken")
    if isinstance(fault, DeploymentUnavailableError):
        return Unavailable("a stage could not be deployed")
    return SynthesisFailed("a replica died in this session", code="replica_lost")
