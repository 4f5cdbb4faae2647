"""From a name in a request to a voice: the model's voices and the operator's by their own names,
OpenAI's thirteen names as aliases. Knows nothing about recordings or models."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.core import VoiceKind, VoiceRef
from app.errors import ConfigError
from app.model_card import ModelCard
from app.voices.vendor_names import VENDOR_VOICES

# Clients of OpenAI's interface know these names alone, and some refuse to send another.
OPENAI_VOICES = (
    "alloy",
    "ash",
    "ballad",
    "cedar",
    "coral",
    "echo",
    "fable",
    "marin",
    "nova",
    "onyx",
    "sage",
    "shimmer",
    "verse",
)


@dataclass(frozen=True, slots=True)
class NamedVoice:
    id: str  # accepted in a request, as the name and the aliases are
    name: str
    aliases: tuple[str, ...]
    ref: VoiceRef


def voice_alias_faults(card: ModelCard, aliases: Mapping[str, str]) -> list[str]:
    """Of the operator's aliases: those that mean no voice of the server."""
    return [
        f"voice_aliases.{alias}: there is no voice {voice!r}"
        for alias, voice in aliases.items()
        if voice not in card.voices
    ]


class VoiceCatalogue:
    """`aliases` are the operator's, from name to voice. OpenAI's other names are aliases of the
    voices in turn. A voice's own name wins over every alias."""

    def __init__(self, card: Callable[[], ModelCard], aliases: Mapping[str, str]) -> None:
        self._card = card
        self._aliases_given = dict(aliases)
        if faults := voice_alias_faults(card(), aliases):
            raise ConfigError("\n".join(faults))

    def named(self) -> tuple[NamedVoice, ...]:
        card, aliases = self._card(), self._aliases()
        voices = []
        for name in card.voices:
            is_recorded = name in card.recorded_voices
            ref = VoiceRef(name, VoiceKind.RECORDED if is_recorded else VoiceKind.BUILT_IN)
            own = tuple(alias for alias, voice in aliases.items() if voice == name)
            voices.append(NamedVoice(name, name, own, ref))
        return tuple(voices)

    def find(self, name: str) -> NamedVoice | None:
        """By name or alias, spelled as it is."""
        own_name = (self._vendors() | self._aliases()).get(name, name)
        for voice in self.named():
            if voice.name == own_name:
                return voice
        return None

    def _vendors(self) -> dict[str, str]:
        """Names of other vendors' voices, dealt out as OpenAI's. They are not listed: they are ids,
        which nobody looks for."""
        voices = self._card().voices
        return {name: voices[i % len(voices)] for i, name in enumerate(VENDOR_VOICES) if voices}

    def _aliases(self) -> dict[str, str]:
        voices = self._card().voices
        default = {name: voices[i % len(voices)] for i, name in enumerate(OPENAI_VOICES) if voices}
        aliases = default | self._aliases_given
        return {alias: voice for alias, voice in aliases.items() if alias not in voices}
