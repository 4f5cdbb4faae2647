"""Every voice of a replica: the model's own, those of the operator's store, and uploaded ones.

Conditionals are loaded once and shared by all requests. The model's own are loaded at once, so they
work even if the model's files go away later. Knows nothing about requests.
"""

import asyncio

from app.config import Enrolment, ServeArgs
from app.core import VoiceKind, VoiceRef
from app.engine.checkpoint.source import Checkpoint
from app.engine.conditionals import Conditionals
from app.engine.voices.store import Prepare, VoiceStore
from app.errors import NotFound
from app.voices.decoder import Purpose
from app.voices.library import open_references

_SPEECH = ".speech-1"  # in names of conditionals, before the level: how a recording is treated


class VoiceProvider:
    """`url` is the operator's store, or None. `cache` is the place of prepared voices; None: beside
    the recordings. `uploads` is the root of the voice library, or None: the interface decides which
    tenant may use an uploaded voice. `enrolment` names the conditionals that are looked for.

    Without `prepare`, the enroller must have enrolled a voice before it is used here. May be called
    from any thread; blocks on storage. Raises ConfigError where a store does not answer,
    CheckpointError.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        url: str | None,
        cache: str | None = None,
        prepare: Prepare | None = None,
        *,
        uploads: str | None = None,
        enrolment: Enrolment = "speech",
    ) -> None:
        self._built_in = {voice: checkpoint.conditionals(voice) for voice in checkpoint.voices()}
        self._stores: dict[VoiceKind, VoiceStore] = {}
        model, of_operator = checkpoint.model.enrolment_id(), Purpose.WHOLE
        if enrolment == "speech":
            model += f"{_SPEECH}{checkpoint.spec.reference_lufs:g}"
            of_operator = Purpose.SPOKEN
        if url is not None:
            self._stores[VoiceKind.RECORDED] = VoiceStore(
                url, model, prepare, purpose=of_operator, cache=cache
            )
        if uploads is not None:
            self._stores[VoiceKind.UPLOADED] = VoiceStore(
                open_references(uploads), model, prepare, purpose=Purpose.STORED
            )

    @classmethod
    def of(
        cls, checkpoint: Checkpoint, args: ServeArgs, prepare: Prepare | None = None
    ) -> "VoiceProvider":
        """As the settings say."""
        return cls(
            checkpoint,
            args.voices,
            args.voices_cache,
            prepare,
            uploads=args.uploads,
            enrolment=args.enrolment,
        )

    def built_in(self) -> tuple[str, ...]:
        """The names of the model's own voices."""
        return tuple(self._built_in)

    def get(self, voice: VoiceRef) -> Conditionals:
        """Raises NotFound, or NotEnrolled where a voice of a store is not enrolled yet."""
        if voice.kind is VoiceKind.BUILT_IN and voice.name in self._built_in:
            return self._built_in[voice.name]
        return self._store_of(voice).get(voice.name)

    async def fetch(self, voice: VoiceRef) -> Conditionals:
        """As `get`, without blocking the event loop. A built-in voice never waits for a store."""
        if voice.kind is VoiceKind.BUILT_IN:
            return self.get(voice)
        return await asyncio.to_thread(self.get, voice)

    def enrol(self, voice: VoiceRef) -> None:
        """Prepare a voice for every process with the same store. Raises as VoiceStore.enrol."""
        if voice.kind is not VoiceKind.BUILT_IN:
            self._store_of(voice).enrol(voice.name)

    def _store_of(self, voice: VoiceRef) -> VoiceStore:
        if (store := self._stores.get(voice.kind)) is None:
            raise NotFound(f"there is no voice {voice.name!r}", param="voice")
        return store
