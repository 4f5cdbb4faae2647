"""The registry as an ingress asks it, wherever it runs."""

from typing import Protocol

from app.core import CancelAck, SessionKey
from app.sessions.smooth_admission import Work
from app.sessions.table import Claim, SessionEnd


class RegistryClient(Protocol):
    """The registry as an ingress sees it: in this process, or an actor that may not answer."""

    async def claim(self, key: SessionKey, work: Work) -> Claim: ...

    async def wait_s(self, key: SessionKey) -> float:
        """Estimated seconds until a session that was not granted would be."""
        ...

    async def claim_group(self, key: SessionKey) -> Claim:
        """GRANTED, CANCELLED or DUPLICATE. Raises Unavailable."""
        ...

    async def cancel(self, key: SessionKey, played_ms: float | None = None) -> CancelAck:
        """`played_ms`: how much of the sound the client has played, where it told that."""
        ...

    def finish(self, key: SessionKey, end: SessionEnd) -> None:
        """Returns at once: the end of a session never waits for the registry."""
        ...

    def finish_group(self, key: SessionKey, end: SessionEnd) -> None: ...
