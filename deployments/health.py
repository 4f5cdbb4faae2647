"""What an engine's replica says when Serve asks whether it can go on."""

import logging
import os
from typing import Protocol

log = logging.getLogger("ray.serve")


class Stage(Protocol):
    @property
    def failure(self) -> BaseException | None: ...

    @property
    def hung(self) -> BaseException | None: ...


def check(*stages: Stage) -> None:
    """Raises RuntimeError where an engine has stopped: Serve replaces the replica. A step that
    hangs takes its process with it at once, so that its streams break off: Serve would let an
    unhealthy replica wait for their ends, and there are none."""
    for stage in stages:
        if (fault := stage.failure) is not None:
            raise RuntimeError("an engine has stopped") from fault
        if (fault := stage.hung) is not None:
            log.critical("this replica is ended: %s", fault)
            os._exit(1)
