"""The voices of a caller: those of the model and the operator, and those that its tenant makes."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

from app.api.answers import HeardRecording, Voice
from app.auth.api_keys import Caller
from app.core import VoiceKind, VoiceRef
from app.errors import BadRequest, Conflict, NotFound, NotServed
from app.key_settings import Role
from app.synthesizer import Synthesizer
from app.voices.catalogue import NamedVoice, VoiceCatalogue
from app.voices.library import LibraryVoice, VoiceLibrary
from app.voices.names import folded_name, plain_name, problem_of_name
from app.voices.recordings import RecordingReader

MAX_TOLD = 20  # names of voices in a message


@dataclass(frozen=True, slots=True)
class Voices:
    """`library` None: callers cannot make voices. Storage blocks, so it runs on other threads."""

    catalogue: VoiceCatalogue
    library: VoiceLibrary | None
    synthesizer: Synthesizer
    reader: RecordingReader

    async def find(self, caller: Caller, name: str) -> VoiceRef:
        return (await self.named(caller, name)).ref

    async def named(self, caller: Caller, name: str) -> NamedVoice | LibraryVoice:
        """The voice of a name: the served voices' own names first, then the tenant's voices, then
        aliases. Only where no voice is spelled so, one that is spelled alike. Raises NotFound."""
        made: tuple[LibraryVoice, ...] = ()
        if self.library is not None and name not in self.synthesizer.card().voices:
            own = await asyncio.to_thread(self.library.find, caller.tenant, name)
            if own is not None:
                return own
            made = await asyncio.to_thread(self.library.all, caller.tenant)
        voice = self.catalogue.find(name) or _alike(name, self.catalogue.named(), made)
        if voice is None:
            names = [each.name for each in self.catalogue.named()] + [each.name for each in made]
            message = f"there is no voice {name[:64]!r}; {_told(names)}"
            raise NotFound(message, param="voice", code="voice_not_found")
        return voice

    async def all(self, caller: Caller) -> list[Voice]:
        listed = [body_of(voice) for voice in self.catalogue.named()]
        if self.library is None:
            return listed
        made = await asyncio.to_thread(self.library.all, caller.tenant)
        return listed + [body_of(voice) for voice in made]

    async def get(self, caller: Caller, voice_id: str) -> NamedVoice | LibraryVoice:
        for voice in self.catalogue.named():
            if voice.id == voice_id:
                return voice
        if self.library is None:
            raise NotFound("there is no such voice", param="voice_id", code="voice_not_found")
        return await asyncio.to_thread(self.library.get, caller.tenant, voice_id)

    async def add(self, caller: Caller, name: str, sample: bytes, consent: str) -> LibraryVoice:
        """Decodes, checks, stores and enrols the recording. A refused recording leaves nothing."""
        library = self.stored()
        name = self._checked_name(name)
        await self._refuse_more(caller, library)
        recording = await self.reader.read(sample, "audio_sample")
        voice = await asyncio.to_thread(
            library.add,
            caller.tenant,
            name,
            recording=recording,
            consent=consent,
            made_by=caller.name,
        )
        is_enrolled = False
        try:
            await self.synthesizer.enrol(voice.ref)
            is_enrolled = True
        finally:
            if not is_enrolled:
                await asyncio.to_thread(library.delete, caller.tenant, voice.id)
        return voice

    async def change(
        self, caller: Caller, voice_id: str, name: str | None, aliases: tuple[str, ...] | None
    ) -> LibraryVoice:
        library = self.stored()
        name = None if name is None else self._checked_name(name)
        aliases = None if aliases is None else tuple(map(self._checked_name, aliases))
        return await asyncio.to_thread(library.change, caller.tenant, voice_id, name, aliases)

    async def delete(self, caller: Caller, voice_id: str) -> None:
        await asyncio.to_thread(self.stored().delete, caller.tenant, voice_id)

    @asynccontextmanager
    async def once(self, caller: Caller, sample: bytes) -> AsyncGenerator[VoiceRef, None]:
        """A voice for one request. It is deleted afterwards."""
        caller.require(Role.VOICES)
        library = self.stored()
        recording = await self.reader.read(sample, "reference_audio")
        reference = library.new_reference()
        try:
            await asyncio.to_thread(library.keep, recording.flac, reference)
            voice = VoiceRef(reference, VoiceKind.UPLOADED)
            await self.synthesizer.enrol(voice)
            yield voice
        finally:
            await asyncio.shield(asyncio.to_thread(library.drop, reference))

    def stored(self) -> VoiceLibrary:
        """Raises NotServed."""
        if self.library is None:
            message = "this server stores nothing, because its configuration has no `uploads`"
            raise NotServed(message, code="uploads_off")
        return self.library

    async def _refuse_more(self, caller: Caller, library: VoiceLibrary) -> None:
        """Raises BadRequest where the tenant keeps `max_voices` of the key already."""
        limit = caller.quota.max_voices
        if limit is None:
            return
        if len(await asyncio.to_thread(library.all, caller.tenant)) >= limit:
            message = f"this API key may keep at most {limit} voices; delete one first"
            raise BadRequest(message, param="max_voices", code="too_many_voices")

    def _checked_name(self, name: str) -> str:
        """As it is kept. Raises BadRequest, Conflict."""
        name = plain_name(name)
        if (problem := problem_of_name(name)) is not None:
            raise BadRequest(f"name: a name {problem}", param="name")
        if name in self.synthesizer.card().voices:
            raise Conflict(f"the name {name!r} is taken already", param="name", code="name_taken")
        return name


def _alike(
    name: str, served: Sequence[NamedVoice], made: Sequence[LibraryVoice]
) -> NamedVoice | LibraryVoice | None:
    """The voice whose name differs in capitals, spaces or the ending of a file alone. None also
    where several voices of one level do: a guess would speak with a wrong voice."""
    wanted = folded_name(name)
    levels: tuple[list[tuple[NamedVoice | LibraryVoice, tuple[str, ...]]], ...] = (
        [(voice, (voice.name,)) for voice in served],
        [(voice, (voice.id, voice.name, *voice.aliases)) for voice in made],
        [(voice, voice.aliases) for voice in served],
    )
    for level in levels:
        found = [voice for voice, names in level if wanted in map(folded_name, names)]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def _told(names: Sequence[str]) -> str:
    told = ", ".join(repr(name) for name in names[:MAX_TOLD])
    more = f", and {len(names) - MAX_TOLD} more" if len(names) > MAX_TOLD else ""
    return f"the voices are {told}{more}; GET /v1/audio/voices lists their other names"


def body_of(voice: NamedVoice | LibraryVoice) -> Voice:
    body = Voice(
        id=voice.id,
        voice_id=voice.id,
        name=voice.name,
        category="cloned" if isinstance(voice, LibraryVoice) else "premade",
        aliases=voice.aliases,
    )
    if isinstance(voice, LibraryVoice):
        heard = None if voice.heard is None else HeardRecording(**asdict(voice.heard))
        made = {"created_at": voice.created_at, "seconds": voice.seconds, "heard": heard}
        return body.model_copy(update=made)
    return body
