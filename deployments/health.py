"""What an engine's replica answers when Serve checks its health."""

import logging
import os
from typing import Protocol

log = logging.getLogger(__name__)


class Stage(Protocol):
    @property
    def failure(self) -> BaseException | None: ...

    @property
    def hung(self) -> BaseException | None: ...


def check(*stages: Stage) -> None:
    """Raises RuntimeError where an engine has stopped; Serve then replaces the replica. Ends the
    process at once where a step hangs, so that its streams break off: Serve would let an unhealthy
    replica wait for the ends of its streams, which never come."""
    for stage in stages:
        if (error := stage.failure) is not None:
            raise RuntimeError("an engine has stopped") from error
        if (error := stage.hung) is not None:
            log.critical("This replica ends itself: %s", error)
            os._exit(1)
