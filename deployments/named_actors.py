"""Actors that have a name and live outside Serve: how they are made, and how they are asked.

A call on a Serve handle would queue behind a saturated replica; a call on such an actor does not.
Ray configures no log file for them as Serve does for a replica: what they log (warnings and worse)
stands in the file of their worker process, `worker-*.err` in Ray's log folder.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import ray
from ray.exceptions import RayActorError, RayTaskError

from app.errors import ServeError, Unavailable

log = logging.getLogger(__name__)

T = TypeVar("T")

NAMESPACE = "chatterbox-serve"
ANSWER_WITHIN_S = 10.0  # an actor that hangs counts as gone; a busy machine starts one in seconds


def named_actor(actor_class: type[Any], name: str, *args: object) -> Any:
    """The handle of the actor with this name. The first call makes the actor; Ray restarts it when
    it dies."""
    actor = ray.remote(actor_class).options(
        name=name,
        namespace=NAMESPACE,
        lifetime="detached",  # it outlives the replica that made it
        get_if_exists=True,
        num_cpus=0,
        max_restarts=-1,
        max_task_retries=0,  # the answer of a replayed call is lost, and its ticket stays open
        max_concurrency=10_000,
    )
    return actor.remote(*args)


async def answer(
    call: Callable[[], Awaitable[T]], what: str, within_s: float | None = ANSWER_WITHIN_S
) -> T:
    """What the actor's method returns. Raises the method's own ServeError. Raises Unavailable where
    the method fails in another way, and where the actor has died or does not answer in time.
    `what`: the actor's name in that message."""
    try:
        async with asyncio.timeout(within_s):
            return await call()
    except (RayActorError, TimeoutError) as error:
        raise Unavailable(f"The {what} does not answer.") from error
    except RayTaskError as error:
        if isinstance(error.cause, ServeError):
            raise
        log.error("The %s failed: %r", what, error.cause)
        raise Unavailable(f"The {what} failed.") from error
