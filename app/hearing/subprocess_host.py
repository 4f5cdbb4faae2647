"""Recognisers in processes of this server: one process for a call, kept for the next call, replaced
when it dies."""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import replace
from typing import Protocol

from app.errors import Overloaded, Unavailable
from app.hearing.messages import Abort, End, Forget, Freed, FromWorker, Ready, Sound, ToWorker
from app.hearing.worker_process_link import WorkerProcess

log = logging.getLogger(__name__)

RESET_S = 10.0  # for a process to drop the call that has left; then it is replaced
RETRY_AFTER_S = 5.0


class SubprocessHost:
    """Implements app.hearing.recogniser_host.RecogniserHost."""

    def __init__(
        self,
        maker: str,
        model: str | None = None,
        python: str | None = None,
        num_recognisers: int = 4,
        num_warm: int = 1,
    ) -> None:
        self._maker, self._model, self._python = maker, model, python
        self._num_recognisers = num_recognisers
        self._num_warm = min(num_warm, num_recognisers)
        self._idle: list[WorkerProcess] = []
        self._processes: set[WorkerProcess] = set()
        self._num_starting = 0
        self._tasks: set[asyncio.Task[None]] = set()  # starts and resets of processes
        self._is_closed = False
        self.num_replaced = 0

    async def start(self) -> None:
        """Starts the warm processes. Raises Unavailable."""
        while self._can_warm:
            await self._begin_start()

    async def lease(self) -> "ProcessLink":
        while (process := self._idle_process()) is None:
            if self._can_start:
                self._begin_start()
            elif not self._tasks:
                raise Overloaded(
                    f"all {self._num_recognisers} recognisers have calls",
                    retry_after_s=RETRY_AFTER_S,
                )
            # A start goes on when this caller leaves: no process is lost.
            done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        if self._can_warm:
            self._begin_start()
        return ProcessLink(process, self._give_back)

    async def aclose(self) -> None:
        """Calls that are open hear that their recogniser died."""
        self._is_closed = True
        while self._processes or self._tasks:
            await asyncio.gather(*(self._end(process) for process in tuple(self._processes)))
            await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._processes]

    @property
    def leased_pids(self) -> list[int]:
        """With those that are being reset."""
        return [process.pid for process in self._processes if process not in self._idle]

    @property
    def num_leased(self) -> int:
        return len(self.leased_pids)

    @property
    def _can_start(self) -> bool:
        num_processes = len(self._processes) + self._num_starting
        return num_processes < self._num_recognisers and not self._is_closed

    @property
    def _can_warm(self) -> bool:
        return self._can_start and len(self._idle) + self._num_starting < self._num_warm

    def _idle_process(self) -> WorkerProcess | None:
        while self._idle:
            process = self._idle.pop()
            if process.is_alive:
                return process
            self._run(self._replace(process))
        return None

    def _begin_start(self) -> "asyncio.Task[None]":
        self._num_starting += 1
        return self._run(self._start_one())

    async def _start_one(self) -> None:
        try:
            process = await WorkerProcess.spawn(self._python, self._maker, self._model)
        except OSError as error:
            raise Unavailable(f"a recogniser's process does not start: {error}") from error
        finally:
            self._num_starting -= 1
        self._processes.add(process)
        self._idle.append(process)

    def _give_back(self, process: WorkerProcess, up_to: int, *, is_broken: bool) -> None:
        self._run(self._reset(process, up_to, is_broken=is_broken))

    async def _reset(self, process: WorkerProcess, up_to: int, *, is_broken: bool) -> None:
        """The process takes another call when it has dropped all of this one."""
        if not is_broken and process.is_alive and await _forgets(process, up_to):
            self._idle.append(process)
            return
        await self._replace(process)
        if self._can_warm:
            self._begin_start()

    async def _replace(self, process: WorkerProcess) -> None:
        if not self._is_closed:
            log.warning("the process %d of a recogniser is replaced", process.pid)
            self.num_replaced += 1
        await self._end(process)

    async def _end(self, process: WorkerProcess) -> None:
        await process.end()
        self._processes.discard(process)
        if process in self._idle:
            self._idle.remove(process)

    def _run(self, work: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("%s", error)


async def _forgets(process: WorkerProcess, up_to: int) -> bool:
    """False: the process died, or does not answer."""
    process.abort(up_to)
    process.send(Forget(up_to))
    process.used_up_to = up_to
    try:
        async with asyncio.timeout(RESET_S):
            while (message := await process.receive()) is not None:
                if isinstance(message, Freed) and message.up_to >= up_to:
                    return True
    except TimeoutError:
        log.warning("the process %d of a recogniser does not drop its call", process.pid)
    return False


class GiveBack(Protocol):
    def __call__(self, process: WorkerProcess, up_to: int, *, is_broken: bool) -> None: ...


class ProcessLink:
    """Implements app.hearing.recogniser_host.RecogniserLink. Generations of the call become those
    of the process, which had other calls before."""

    def __init__(self, process: WorkerProcess, give_back: GiveBack) -> None:
        self.process = process
        self._give_back = give_back
        self._base = process.used_up_to
        self._last = process.used_up_to
        self._is_open = True

    def send(self, message: ToWorker) -> None:
        if not self._is_open:
            return
        match message:
            case Sound(generation=generation) | End(generation=generation):
                self._last = max(self._last, self._base + generation)
                self.process.send(replace(message, generation=self._base + generation))
            case Abort(up_to) | Forget(up_to):
                self.process.send(replace(message, up_to=self._base + up_to))

    def abort(self, up_to: int) -> None:
        if self._is_open:
            self.process.abort(self._base + up_to)

    async def receive(self) -> FromWorker | None:
        while self._is_open and (message := await self.process.receive()) is not None:
            if isinstance(message, Ready):
                return message
            if isinstance(message, Freed):
                return replace(message, up_to=message.up_to - self._base)
            return replace(message, generation=message.generation - self._base)
        return None

    async def aclose(self, *, is_broken: bool = False) -> None:
        if self._is_open:
            self._is_open = False
            self._give_back(self.process, self._last + 1, is_broken=is_broken)
