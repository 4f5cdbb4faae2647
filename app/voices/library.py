"""The voices that callers make: per tenant, in a folder or an object store (fsspec).

    <root>/voices/<tenant>/<id>.json     name, aliases, consent, reference
    <root>/references/<reference>.flac   the recording; its conditionals are stored beside it
    <root>/pronunciations/<tenant>/      the pronunciations of the tenant and of its voices

Ids are made here: no text of a caller becomes part of a path. A reference is named by its tenant
and content, so the same recording is stored and enrolled once. Every process reads the store again
after FRESH_S; while the store is away, it uses what it read last. A failed write leaves nothing
behind. Blocks on storage, raises StorageAway and StorageFull; may be called from any thread. Knows
nothing about audio or models.
"""

import hashlib
import json
import re
import secrets
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

import fsspec

from app.core import VoiceKind, VoiceRef
from app.errors import (
    BadRequest,
    ConfigError,
    Conflict,
    NotFound,
    ServeError,
    StorageAway,
    StorageFull,
)
from app.voices.keyed_locks import KeyedLocks
from app.voices.names import plain_name
from app.voices.pronunciation_store import PronunciationStore
from app.voices.recordings import Recording
from app.voices.speech_activity import Heard, parse_heard
from app.voices.storage import Storing, make_folder, put_whole

FRESH_S = 0.5
MAX_VOICES = 1000  # of a tenant
REFERENCES = "references"

_ID = re.compile(r"voice_[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class LibraryVoice:
    id: str
    name: str
    aliases: tuple[str, ...]
    created_at: int
    seconds: float
    consent: str
    made_by: str  # the key's name
    reference: str  # its recording
    heard: Heard | None = None  # None: of a version that did not measure the recording

    @property
    def ref(self) -> VoiceRef:
        return VoiceRef(self.reference, VoiceKind.UPLOADED)


def open_references(url: str) -> str:
    """The folder of references of the library at `url`. Creates it where it is missing."""
    folder = f"{url.rstrip('/')}/{REFERENCES}"
    try:
        files, root = fsspec.core.url_to_fs(folder)
        with Storing("recordings"):
            make_folder(files, root)
    except (StorageAway, StorageFull, FileNotFoundError, ValueError, ImportError) as error:
        raise ConfigError(f"uploads: cannot use {url}: {error.__cause__ or error}") from error
    return folder


class VoiceLibrary:
    def __init__(self, url: str) -> None:
        """Raises ConfigError where nothing can be stored at `url`."""
        open_references(url)
        self._files, root = fsspec.core.url_to_fs(url)
        self._root = root.rstrip("/")
        self.pronunciations = PronunciationStore(self._files, self._root)
        self._tenant_locks = KeyedLocks()  # one change at a time in this process; see `add`
        self._seen: dict[str, tuple[float, tuple[LibraryVoice, ...]]] = {}  # by tenant
        self._seen_lock = threading.Lock()

    def all(self, tenant: str) -> tuple[LibraryVoice, ...]:
        """The tenant's voices, oldest first."""
        with self._seen_lock:
            seen = self._seen.get(tenant)
        if seen is not None and time.monotonic() - seen[0] < FRESH_S:
            return seen[1]
        try:
            return self._read_anew(tenant)
        except StorageAway:
            if seen is None:
                raise
            return seen[1]

    def find(self, tenant: str, name: str) -> LibraryVoice | None:
        """By id, name or alias."""
        name = plain_name(name)
        for voice in self.all(tenant):
            if name in (voice.id, voice.name, *voice.aliases):
                return voice
        return None

    def get(self, tenant: str, voice_id: str) -> LibraryVoice:
        """Raises NotFound for an unknown voice, and for another tenant's."""
        for voice in self.all(tenant):
            if voice.id == voice_id:
                return voice
        raise NotFound("there is no such voice", param="voice_id", code="voice_not_found")

    def add(
        self, tenant: str, name: str, *, recording: Recording, consent: str, made_by: str
    ) -> LibraryVoice:
        """Raises Conflict for a name that is taken, BadRequest for one voice too many. Where two
        processes add the same name at once, one or both of them get Conflict."""
        digest = hashlib.sha256(f"{tenant}\0".encode() + recording.flac).hexdigest()
        voice = LibraryVoice(
            f"voice_{secrets.token_hex(16)}",
            name,
            (),
            int(time.time()),
            recording.seconds,
            consent,
            made_by,
            f"up-{digest[:48]}",
            recording.heard,
        )
        with self._tenant_locks.of(tenant):
            kept = self._read_anew(tenant)
            _refuse_taken(kept, [name])
            if len(kept) >= MAX_VOICES:
                message = f"there are {MAX_VOICES} voices already, the most that can be kept"
                raise BadRequest(message, code="too_many_voices")
            self.keep(recording.flac, voice.reference)
            is_added = False
            try:
                self._write(tenant, voice)
                _refuse_taken(self._read_anew(tenant), [name], but=voice.id)
                is_added = True
            finally:
                if not is_added:
                    with suppress(ServeError):  # the caller gets the first error
                        self._remove(tenant, voice)
        return voice

    def change(
        self, tenant: str, voice_id: str, name: str | None, aliases: tuple[str, ...] | None
    ) -> LibraryVoice:
        """Raises NotFound, and Conflict as `add` does."""
        with self._tenant_locks.of(tenant):
            voices = self._read_anew(tenant)
            voice = self.get(tenant, voice_id)
            changed = replace(
                voice,
                name=voice.name if name is None else name,
                aliases=voice.aliases if aliases is None else aliases,
            )
            names = (changed.name, *changed.aliases)
            _refuse_taken(voices, names, but=voice_id)
            self._write(tenant, changed)
            try:
                _refuse_taken(self._read_anew(tenant), names, but=voice_id)
            except Conflict:
                self._write(tenant, voice)
                raise
        return changed

    def delete(self, tenant: str, voice_id: str) -> None:
        """Deletes its pronunciations, and with the last voice that uses them the recording and its
        conditionals. The voice goes last, so that a failed delete can be repeated."""
        with self._tenant_locks.of(tenant):
            self._read_anew(tenant)
            voice = self.get(tenant, voice_id)
            self.pronunciations.delete(tenant, voice_id)
            self._remove(tenant, voice)

    def new_reference(self) -> str:
        """A new name for the recording of a single request."""
        return f"once-{secrets.token_hex(16)}"

    def keep(self, flac: bytes, reference: str) -> None:
        folder = f"{self._root}/{REFERENCES}"
        with Storing("recordings"):
            make_folder(self._files, folder)
            put_whole(self._files, f"{folder}/{reference}.flac", flac)

    def drop(self, reference: str) -> None:
        """Delete a recording and the conditionals made of it."""
        folder = f"{self._root}/{REFERENCES}"
        self._files.invalidate_cache(folder)
        with suppress(FileNotFoundError), Storing("recordings"):
            for path in self._files.ls(folder, detail=False):
                if path.rpartition("/")[2].startswith(f"{reference}."):
                    self._files.rm_file(path)

    def _remove(self, tenant: str, voice: LibraryVoice) -> None:
        with suppress(FileNotFoundError), Storing("voices"):
            self._files.rm_file(f"{self._folder(tenant)}/{voice.id}.json")
        self._forget(tenant)
        if all(other.reference != voice.reference for other in self._read_anew(tenant)):
            self.drop(voice.reference)

    def _folder(self, tenant: str) -> str:
        return f"{self._root}/voices/{tenant}"

    def _read_anew(self, tenant: str) -> tuple[LibraryVoice, ...]:
        """As `all`, read from the store now."""
        now = time.monotonic()
        voices = self._read_all(tenant)
        with self._seen_lock:
            self._seen[tenant] = (now, voices)
        return voices

    def _read_all(self, tenant: str) -> tuple[LibraryVoice, ...]:
        folder = self._folder(tenant)
        self._files.invalidate_cache(folder)
        found: list[LibraryVoice] = []
        with suppress(FileNotFoundError), Storing("voices"):
            for path in self._files.ls(folder, detail=False):
                voice_id, _, suffix = path.rpartition("/")[2].partition(".")
                if suffix == "json" and _ID.fullmatch(voice_id):
                    with suppress(FileNotFoundError):  # deleted since it was listed
                        found.append(_parse(self._files.cat_file(path)))
        return tuple(sorted(found, key=lambda voice: (voice.created_at, voice.id)))

    def _write(self, tenant: str, voice: LibraryVoice) -> None:
        content = json.dumps(asdict(voice)).encode()
        with Storing("voices"):
            make_folder(self._files, self._folder(tenant))
            put_whole(self._files, f"{self._folder(tenant)}/{voice.id}.json", content)
        self._forget(tenant)

    def _forget(self, tenant: str) -> None:
        with self._seen_lock:
            self._seen.pop(tenant, None)


def _refuse_taken(voices: Iterable[LibraryVoice], names: Iterable[str], but: str = "") -> None:
    others = (voice for voice in voices if voice.id != but)
    taken = {name for voice in others for name in (voice.id, voice.name, *voice.aliases)}
    for name in names:
        if name in taken:
            raise Conflict(f"the name {name!r} is taken", param="name", code="name_taken")


def _parse(content: bytes) -> LibraryVoice:
    fields = json.loads(content)
    heard = fields.get("heard")
    read = {
        "aliases": tuple(fields["aliases"]),
        "heard": None if heard is None else parse_heard(heard),
    }
    return LibraryVoice(**(fields | read))
