"""The limits that differ between listeners who wait and voice agents. app.config.Limits has them.

The agent frameworks give a reply up after 3 s without sound, and throw away what comes later."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

from pydantic import BaseModel, Field, model_validator

DialectName = Literal["cartesia", "elevenlabs", "deepgram", "vapi", "jambonz"]
DIALECTS: tuple[DialectName, ...] = get_args(DialectName)

FIRST_AUDIO_S = 2.5  # half a second for the refusal to arrive
RETRY_AFTER_S = 1.0


class AgentLimits(BaseModel, extra="forbid", frozen=True):
    profile: Literal["listeners", "agents"] = Field(
        "listeners",
        description="agents: a session is refused before a voice agent gives it up: first_audio_s "
        "is 2.5 unless it is set, and the 503 has Retry-After: 1. Streams over HTTP have silence "
        "where sound is late",
    )
    nothing_to_speak: Literal["silence", "refuse"] = Field(
        "silence",
        description="of a text without a word, such as an emoji. silence: 200 with short silence, "
        "because an error would end the whole reply of a client that sends sentence by sentence; "
        "refuse: 400 empty_input. An empty text is always refused",
    )

    @model_validator(mode="before")
    @classmethod
    def _with_profile(cls, given: Any) -> Any:
        """A setting that is given wins over that of the profile."""
        if isinstance(given, Mapping) and given.get("profile") == "agents":
            return {"first_audio_s": FIRST_AUDIO_S, **given}
        return given

    def told_wait_s(self, wait_s: float) -> float:
        """What a refused client is told to wait, where there is room in `wait_s` seconds."""
        return RETRY_AFTER_S if self.profile == "agents" else wait_s
