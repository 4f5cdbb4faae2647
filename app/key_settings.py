"""The settings of access: of one API key, of a server without keys, of what callers hold open, and
of one WebSocket.
app.config reads the keys from a file or from the environment."""

import re
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

TENANT = r"^[a-z0-9_-]{1,64}$"
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:]+\])(?::\d{1,5})?")
_DEFAULT_PORTS = re.compile(r"http:.*:80|https:.*:443")


def _checked_origin(origin: str) -> str:
    """As a browser writes it, because it is compared with the header as a text."""
    if origin in ("*", "null"):
        message = f"{origin!r} would let the pages of everybody call; list each origin"
        raise ValueError(message)
    if not _ORIGIN.fullmatch(origin) or _DEFAULT_PORTS.fullmatch(origin):
        message = f"{origin!r} is no origin as browsers write it: a scheme and a host in small "
        raise ValueError(f"{message}letters, and a port unless it is the scheme's own; no path")
    return origin


Origin = Annotated[str, AfterValidator(_checked_origin)]


class Role(StrEnum):
    SPEAK = "speak"  # may speak, cancel the tenant's sessions, read reports
    VOICES = "voices"  # may make, rename and delete voices, and keep pronunciations
    ADMIN = "admin"  # may load and unload the model, and stop the sessions of every tenant


class Quota(BaseModel, extra="forbid", frozen=True):
    """The limits of one key. null: no limit."""

    max_concurrent: int | None = Field(None, ge=1, description="sessions at the same time")
    requests_per_minute: int | None = Field(
        None, ge=1, description="requests in a minute; over a socket each take is one"
    )
    audio_s_per_day: float | None = Field(None, gt=0, description="seconds in a day of UTC")
    heard_s_per_day: float | None = Field(
        None, gt=0, description="seconds of callers' sound that are heard in a day of UTC"
    )
    max_text_chars: int | None = Field(None, ge=1, description="characters of one text")
    max_tokens: int | None = Field(None, ge=1, description="speech tokens of one segment")
    max_sockets: int | None = Field(None, ge=1, description="open sockets at one ingress replica")
    max_uploads: int | None = Field(
        None, ge=1, description="recordings processed at the same time, at one ingress replica"
    )
    max_voices: int | None = Field(None, ge=0, description="voices that the tenant keeps")
    max_pronunciations: int | None = Field(
        None, ge=0, description="pronunciations that the tenant keeps; null: 1,000, the most"
    )

    @property
    def is_limited(self) -> bool:
        """Whether a limit is counted over all ingress replicas."""
        counted = (
            self.max_concurrent,
            self.requests_per_minute,
            self.audio_s_per_day,
            self.heard_s_per_day,
        )
        return any(limit is not None for limit in counted)


class KeySettings(BaseModel, extra="forbid", frozen=True):
    name: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$", description="for logs; not the key itself")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="hash of the key")
    tenant: str = Field(
        pattern=TENANT,
        description="the key sees the sessions, uploaded voices and pronunciations of this tenant "
        "alone",
    )
    roles: tuple[Role, ...] = Field(
        (Role.SPEAK,),
        description="speak: speak, cancel, read reports; voices: make, rename, delete voices, keep "
        "pronunciations; admin: load and unload the model, stop the sessions of every tenant",
    )
    quota: Quota = Quota()


class AccessSettings(BaseModel, extra="forbid", frozen=True):
    keys_file: str | None = Field(
        None, description="file with a YAML list of keys; null: from CHATTERBOX_API_KEYS"
    )
    origins: tuple[Origin, ...] = Field(
        (),
        description="web origins that may call, such as https://example.com: as browsers write "
        "them, each by itself",
    )
    keyless: Literal["local", "refuse"] = Field(
        "local",
        description="a server without keys: local: serves its own machine; refuse: does not start",
    )


class AdmissionSettings(BaseModel, extra="forbid", frozen=True):
    """What callers hold open and ask for, at each ingress. Beyond: 429 (a key), 503 (all keys)."""

    max_requests: int = Field(1024, ge=1, description="requests in flight, of all keys")
    max_requests_per_key: int = Field(512, ge=1, description="requests in flight, of one key")
    max_bodies: int = Field(512, ge=1, description="bodies that are being read, of all keys")
    max_bodies_per_key: int = Field(256, ge=1, description="bodies that are being read, of one key")
    max_body_bytes: int = Field(
        512 * 1024**2, ge=1, description="bytes of the bodies of requests in flight, of all keys"
    )
    max_body_bytes_per_key: int = Field(
        128 * 1024**2, ge=1, description="bytes of the bodies of requests in flight, of one key"
    )
    max_sockets: int = Field(1024, ge=1, description="open sockets, of all keys")
    max_sockets_per_key: int = Field(
        256, ge=1, description="open sockets of one key whose quota has no max_sockets"
    )
    requests_per_s: float | None = Field(
        30.0,
        gt=0,
        description="requests of one key in a second, on average; four seconds' worth may come at "
        "once; a POST counts only where it is refused; null: no bound",
    )
    max_control: int = Field(
        1024, ge=1, description="cancels in flight, of all keys; as many reports; as many of health"
    )
    max_control_per_key: int = Field(
        256, ge=1, description="cancels in flight, of one key; as many reports of sessions"
    )
    control_per_s: float | None = Field(
        100.0,
        gt=0,
        description="cancels of one key in a second, on average, and as many reports of sessions; "
        "four seconds' worth may come at once; null: no bound",
    )


class SocketLimits(BaseModel, extra="forbid", frozen=True):
    """The limits of one WebSocket."""

    max_contexts: int = Field(
        64, ge=1, le=1024, description="contexts that are open at the same time"
    )
    max_frame_bytes: int = Field(65_536, ge=1024, description="bytes of one message")
    max_held_chars: int = Field(
        16_384,  # frameworks send an answer at once where it is known: this is a quarter of an hour
        ge=1,
        description="characters of a context that wait to be spoken",
    )
    max_faults: int = Field(20, ge=1, description="invalid messages; one more closes the socket")
    idle_s: float = Field(
        3700.0,  # LiveKit's pool for Deepgram gives a socket up after 3,600 s, others earlier
        gt=0,
        description="seconds without a message or speech",
    )
