"""The hearing as a Serve deployment: voice activity and recognisers of calls, on CPUs.

A call holds one streaming request for as long as it lasts, so Serve bounds, counts and scales by
calls. The request tells the address of a socket; sound and events take the socket, because a
request of Serve has no stream of input, and because every sound of a call must reach the replica
that has its recogniser.

Only the replica imports the recognisers: the application's builder imports this module too.
"""

import asyncio
from collections.abc import AsyncGenerator

import ray

from app.hearing.call_messages import CallAddress
from app.hearing.call_server import CallServer
from app.hearing_settings import HearingSettings
from deployments.replica_log import log_as_serve_does


class HearingReplica:
    def __init__(self, settings: HearingSettings) -> None:
        log_as_serve_does()
        self._settings = settings
        self._opening = asyncio.Lock()
        self._server: CallServer | None = None

    async def hold(self) -> AsyncGenerator[CallAddress, None]:
        """The address of one call, which may last while this stream is open."""
        server = await self._opened()
        async with server.expected() as address:
            yield address
            await asyncio.Event().wait()

    async def check_health(self) -> None:
        """Serve asks before the first call, so a wrong setting is found at the start. Raises
        ConfigError."""
        await self._opened()

    async def _opened(self) -> CallServer:
        """Opened once, on the event loop of the calls. Raises ConfigError."""
        from app.hearing.hearing import open_hearing

        async with self._opening:
            if self._server is None:
                server = CallServer(await open_hearing(self._settings))
                await server.listen(ray.util.get_node_ip_address())
                self._server = server
        return self._server
