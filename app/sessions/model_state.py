"""Whether the served model is in memory, and how that is changed. Knows nothing about the way."""

from collections.abc import Collection
from enum import StrEnum
from typing import Protocol

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


class ModelLoader(Protocol):
    """Takes the served model out of memory and loads it again. Both calls return when that is
    done, at once if it was done before. No session begins while the model is out of memory."""

    async def load(self) -> None:
        """Raises Unavailable where the model is not loaded in time."""

    async def unload(self) -> None:
        """Live sessions end first. Raises NotServed where the model must stay in memory."""
