"""Every voice a replica can speak with: the model's own, those of the operator's store, and the
references that callers uploaded.

Conditionals are loaded once and shared by all requests; the model's own at once, so that they are
spoken with whatever becomes of its files. Knows nothing about requests.
"""

import asyncio

import numpy as np
from numpy.typing import NDArray

from app.engine.checkpoint.source import Checkpoint
from app.engine.conditionals import Conditionals
from app.engine.voices.store import Prepare, VoiceStore
from app.errors import NotEnrolled, NotFound
from app.voices.library import is_reference, open_references


class VoiceProvider:
    """`url` is the operator's store, or None; `cache` where prepared voices are kept, if not there;
    `uploads` the voice library's root, or None. References have no names: who may use one is known
    to the interface alone.

    Without `prepare`, a voice of the store must have been enrolled by someone who has it. May be
    called from any thread; blocks on storage. Raises ConfigError where a store does not answer,
    CheckpointError.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        url: str | None,
        cache: str | None = None,
        prepare: Prepare | None = None,
        uploads: str | None = None,
    ) -> None:
        self._own = {voice: checkpoint.conditionals(voice) for voice in checkpoint.voices()}
        self._store = None
        self._uploads = None
        model = checkpoint.source.enrolment_id()
        if url is not None:
            self._store = VoiceStore(url, model, prepare or _unprepared, cache=cache)
        if uploads is not None:
            self._uploads = VoiceStore(open_references(uploads), model, prepare or _unprepared)

    def names(self) -> tuple[str, ...]:
        """The model's own first; a voice of the store by the same name is hidden by it."""
        stored = self._store.names() if self._store is not None else ()
        return (*self._own, *(name for name in stored if name not in self._own))

    def own(self) -> tuple[str, ...]:
        """The model's own."""
        return tuple(self._own)

    def is_own(self, voice: str) -> bool:
        return voice in self._own

    async def found(self, voice: str) -> Conditionals:
        """As `get`. The model's own are there at once, however long a store takes to answer."""
        if (own := self._own.get(voice)) is not None:
            return own
        return await asyncio.to_thread(self.get, voice)

    def get(self, voice: str) -> Conditionals:
        """Raises NotFound, or NotEnrolled where a voice of the store is not enrolled yet."""
        if (own := self._own.get(voice)) is not None:
            return own
        return self._store_of(voice).get(voice)

    def enrol(self, voice: str) -> None:
        """Prepare a voice of the store for every process that sees it. Raises NotFound."""
        if voice not in self._own:
            self._store_of(voice).enrol(voice)

    def _store_of(self, voice: str) -> VoiceStore:
        store = self._uploads if is_reference(voice) else None
        if (store := store or self._store) is None:
            raise NotFound(f"there is no voice {voice!r}", param="voice")
        return store


def _unprepared(wav: NDArray[np.float32], sample_rate: int, voice: str) -> Conditionals:
    raise NotEnrolled(f"voice {voice!r} has not been enrolled in the voice store")
