"""The settings of one API key. app.config reads the keys from a file or from the environment."""

from enum import StrEnum

from pydantic import BaseModel, Field

TENANT = r"^[a-z0-9_-]{1,64}$"


class Role(StrEnum):
    SPEAK = "speak"  # may speak, cancel the tenant's sessions, read reports
    VOICES = "voices"  # may make, rename and delete voices
    ADMIN = "admin"  # may load and unload the model, and stop the sessions of every tenant


class Quota(BaseModel, extra="forbid", frozen=True):
    """The limits of one key. null: no limit."""

    max_concurrent: int | None = Field(None, ge=1, description="sessions at the same time")
    requests_per_minute: int | None = Field(None, ge=1, description="requests in a minute")
    audio_s_per_day: float | None = Field(None, gt=0, description="seconds in a day of UTC")
    max_text_chars: int | None = Field(None, ge=1, description="characters of one text")
    max_tokens: int | None = Field(None, ge=1, description="speech tokens of one segment")
    max_sockets: int | None = Field(None, ge=1, description="open sockets at one ingress replica")
    max_uploads: int | None = Field(
        None, ge=1, description="recordings processed at the same time, at one ingress replica"
    )
    max_voices: int | None = Field(None, ge=0, description="voices that the tenant keeps")

    @property
    def is_limited(self) -> bool:
        """Whether a limit is counted over all ingress replicas."""
        counted = (self.max_concurrent, self.requests_per_minute, self.audio_s_per_day)
        return any(limit is not None for limit in counted)


class KeySettings(BaseModel, extra="forbid", frozen=True):
    name: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$", description="for logs; not the key itself")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="hash of the key")
    tenant: str = Field(
        pattern=TENANT,
        description="the key sees the sessions and uploaded voices of this tenant alone",
    )
    roles: tuple[Role, ...] = Field(
        (Role.SPEAK,),
        description="speak: speak, cancel, read reports; voices: make, rename, delete voices; "
        "admin: load and unload the model, stop the sessions of every tenant",
    )
    quota: Quota = Quota()
