"""The real hearing of a server that runs in a thread of its own."""

import asyncio

from app.hearing.hearing import open_hearing


class LazyHearing:
    """Opened on the event loop of the server."""

    def __init__(self, settings):
        self._settings = settings
        self.hearing = None

    async def open_call(self, sound, turns):
        if self.hearing is None:
            self.hearing = await open_hearing(self._settings)
            self._loop = asyncio.get_running_loop()
        return await self.hearing.open_call(sound, turns)

    def close(self):
        asyncio.run_coroutine_threadsafe(self.hearing.aclose(), self._loop).result(10)
