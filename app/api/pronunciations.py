"""The pronunciations of a caller: of its tenant, of each voice, and those that a speech gets.

The store may be slow or away. Speech does not wait longer than WITHIN_S for it, and goes on with
what this process read last.
"""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field

from app.api.answers import PronunciationEntry, PronunciationList
from app.api.voices import Voices
from app.auth.api_keys import Caller
from app.core import VoiceRef
from app.errors import StorageAway
from app.text.pronunciations import Pronunciation, merged
from app.voices.pronunciation_store import FRESH_S, MAX_KEPT, PronunciationStore

log = logging.getLogger(__name__)

WITHIN_S = 1.0
NUM_READERS = 4  # threads, so that a store that hangs keeps no other work from being done


def _readers() -> Executor:
    return ThreadPoolExecutor(NUM_READERS, "pronunciations")


@dataclass(frozen=True, slots=True)
class Pronunciations:
    """`voice` is a name that the caller knows a voice by. None: every voice of the tenant."""

    voices: Voices
    readers: Executor = field(default_factory=_readers)

    async def of_speech(
        self, caller: Caller, voice: str | None
    ) -> tuple[VoiceRef, tuple[Pronunciation, ...]]:
        """The voice, and its pronunciations before those of the tenant. `voice` None: a voice
        without a name, and those of the tenant alone. Raises NotFound."""
        named = None if voice is None else await self.voices.named(caller, voice)
        ref = VoiceRef("") if named is None else named.ref
        library = self.voices.library
        if library is None:
            return ref, ()
        kept, tenant = library.pronunciations, caller.tenant
        levels = [await self._read(kept, tenant, None)]
        if named is not None:
            levels.insert(0, await self._read(kept, tenant, named.id))
        return ref, merged(*levels)

    async def get(self, caller: Caller, voice: str | None) -> PronunciationList:
        """Raises NotFound. A server that stores nothing has an empty list."""
        voice_id = await self._id_of(caller, voice)
        library = self.voices.library
        if library is None:
            return _body(voice_id, ())
        kept = library.pronunciations
        return _body(voice_id, await asyncio.to_thread(kept.get, caller.tenant, voice_id))

    async def put(
        self, caller: Caller, voice: str | None, entries: Sequence[Pronunciation]
    ) -> PronunciationList:
        """Raises NotFound, NotServed, and BadRequest for a pronunciation too many."""
        kept = self.voices.stored().pronunciations
        voice_id = await self._id_of(caller, voice)
        limit = caller.quota.max_pronunciations
        most = MAX_KEPT if limit is None else limit
        await asyncio.to_thread(kept.put, caller.tenant, voice_id, entries, most)
        return _body(voice_id, entries)

    async def delete(self, caller: Caller, voice: str | None) -> PronunciationList:
        """Raises NotFound, NotServed."""
        kept = self.voices.stored().pronunciations
        voice_id = await self._id_of(caller, voice)
        await asyncio.to_thread(kept.delete, caller.tenant, voice_id)
        return _body(voice_id, ())

    async def _id_of(self, caller: Caller, voice: str | None) -> str | None:
        return None if voice is None else (await self.voices.named(caller, voice)).id

    async def _read(
        self, kept: PronunciationStore, tenant: str, voice_id: str | None
    ) -> Sequence[Pronunciation]:
        if (fresh := kept.seen(tenant, voice_id, FRESH_S)) is not None:
            return fresh
        reading = asyncio.get_running_loop().run_in_executor(
            self.readers, kept.get, tenant, voice_id
        )
        try:
            async with asyncio.timeout(WITHIN_S):
                return await reading
        except (StorageAway, TimeoutError):
            log.warning("speaking with the pronunciations of tenant %s as last read", tenant)
            return kept.seen(tenant, voice_id) or ()


def _body(voice_id: str | None, entries: Sequence[Pronunciation]) -> PronunciationList:
    listed = (PronunciationEntry(**asdict(entry)) for entry in entries)
    return PronunciationList(voice=voice_id, pronunciations=tuple(listed))
