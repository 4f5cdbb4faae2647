"""A host of recognisers for tests: the real worker loop runs in the caller's own thread, at once or
when the test says so."""

import asyncio
from collections import deque
from collections.abc import Callable

from app.errors import Overloaded
from app.hearing.messages import Abort, FromWorker, Ready, ToWorker, decode, encode
from app.hearing.recogniser import Recogniser
from app.hearing.worker_loop import WorkerLoop
from tests.support.scripted_recogniser import ScriptedRecogniser


class InlineLink:
    """`is_held`: messages wait until `work` is called."""

    def __init__(self, recogniser: Recogniser, *, is_held: bool) -> None:
        self.recogniser = recogniser
        self.is_held = is_held
        self.up_to = 0
        self.waiting: deque[ToWorker] = deque()
        self.is_closed = False
        self.was_broken = False
        self._said: asyncio.Queue[FromWorker | None] = asyncio.Queue()
        self._loop = WorkerLoop(recogniser, self, self._said.put_nowait)
        self._said.put_nowait(Ready(0.0, 0.0))

    def send(self, message: ToWorker) -> None:
        assert decode(encode(message)) == message
        self.waiting.append(message)
        if not self.is_held:
            self.work()

    def work(self) -> None:
        while self.waiting:
            self._loop.take(self.waiting.popleft())

    def abort(self, up_to: int) -> None:
        self.up_to = up_to
        self.send(Abort(up_to))

    def die(self) -> None:
        self._said.put_nowait(None)

    async def receive(self) -> FromWorker | None:
        return await self._said.get()

    async def aclose(self, *, is_broken: bool = False) -> None:
        self.is_closed = True
        self.was_broken |= is_broken
        self.die()


class InlineHost:
    def __init__(
        self,
        num_recognisers: int = 4,
        *,
        is_held: bool = False,
        made: Callable[[], Recogniser] = ScriptedRecogniser,
    ) -> None:
        self.made = made
        self.links: list[InlineLink] = []
        self.num_recognisers = num_recognisers
        self.is_held = is_held

    @property
    def live_links(self) -> list[InlineLink]:
        return [link for link in self.links if not link.is_closed]

    async def lease(self) -> InlineLink:
        if len(self.live_links) >= self.num_recognisers:
            raise Overloaded("all recognisers have calls")
        self.links.append(InlineLink(self.made(), is_held=self.is_held))
        return self.links[-1]

    async def aclose(self) -> None:
        for link in self.links:
            await link.aclose()
