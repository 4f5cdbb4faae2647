"""Whether the served model is in memory. Knows nothing about how it is loaded."""

from collections.abc import Collection
from enum import StrEnum

ENGINES = frozenset(("t3", "vocoder"))  # the stages that hold the model


class ModelState(StrEnum):
    """No session begins unless the model is LOADED."""

    LOADED = "loaded"
    UNLOADING = "unloading"  # its engines still run, for the sessions that live
    UNLOADED = "unloaded"  # its engines have ended

    def seen(self, stages: Collection[str]) -> "ModelState":
        """The state after these stages were seen to run. An unloaded model whose engines all run
        again was deployed again."""
        running = ENGINES.intersection(stages)
        if self is ModelState.UNLOADING and not running:
            return ModelState.UNLOADED
        if self is ModelState.UNLOADED and running == ENGINES:
            return ModelState.LOADED
        return self
