"""Tasks that outlive the caller, and tasks that must end with the caller. Knows nothing about
sessions."""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def cancel_and_wait(*tasks: "asyncio.Future[Any]") -> None:
    """Returns when all tasks have ended. An error that a task raised counts as seen."""
    for task in tasks:
        task.cancel()
    if running := [task for task in tasks if not task.done()]:
        await asyncio.wait(running)
    for task in tasks:
        if not task.cancelled():
            task.exception()


class TaskSet:
    """Keeps its tasks alive until they end; asyncio alone would not.

    Detached tasks run in a context of their own. In the context of a request, Ray takes a call for
    a child of the request's task and cancels both when the client hangs up (4 of 40 ids stayed
    live, Ray 2.60)."""

    def __init__(self, *, detached: bool = False) -> None:
        self._new_context = contextvars.Context if detached else contextvars.copy_context
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def all(self) -> "tuple[asyncio.Task[Any], ...]":
        return tuple(self._tasks)

    def start(self, call: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        task = asyncio.get_running_loop().create_task(call, context=self._new_context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def run(self, call: Coroutine[Any, Any, T]) -> T:
        """The result of the call, which runs to its end even if the caller is cancelled."""
        return await asyncio.shield(self.start(call))

    async def ask(self, call: Coroutine[Any, Any, T], give_back: Callable[[T], object]) -> T:
        """As `run`. Where the caller is cancelled first, `give_back` gets the result."""
        asking = self.start(call)
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:

            def return_result(asked: "asyncio.Task[T]") -> None:
                if not asked.cancelled() and asked.exception() is None:
                    give_back(asked.result())

            asking.add_done_callback(return_result)
            raise
