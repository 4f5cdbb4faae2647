"""Where recognisers run, as a Protocol, and the end that a call holds."""

from typing import Protocol

from app.hearing.messages import FromWorker, ToWorker


class RecogniserLink(Protocol):
    """A recogniser of one call. Used by one event loop. Generations begin at 1."""

    def send(self, message: ToWorker) -> None:
        """Never waits. Changes nothing when the link is dead."""
        ...

    def abort(self, up_to: int) -> None:
        """Overtakes all sound that was sent. The worker answers with Freed."""
        ...

    async def receive(self) -> FromWorker | None:
        """None: the recogniser is dead or the link is closed. Has one consumer."""
        ...

    async def aclose(self, *, is_broken: bool = False) -> None:
        """Gives the recogniser back. `is_broken`: it is replaced. A second call changes nothing."""
        ...


class RecogniserHost(Protocol):
    async def lease(self) -> RecogniserLink:
        """May return before the recogniser is loaded. Raises Overloaded where all recognisers have
        calls, Unavailable where the host does not answer."""
        ...

    async def aclose(self) -> None: ...
