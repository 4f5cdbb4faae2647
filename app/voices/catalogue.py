"""Which voice a name means: the model's and the operator's by their own names, OpenAI's thirteen
names as aliases. Knows nothing about recordings or models."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.core import ModelCard
from app.errors import ConfigError, NotFound

# Clients of OpenAI's interface know no other names, and some refuse to send any.
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
    id: str  # what a request may say
    name: str
    aliases: tuple[str, ...]
    voice: str  # what the stages call it


class VoiceCatalogue:
    """`aliases` are the operator's: name -> voice. OpenAI's names that they leave are dealt out
    over the voices in order. A voice's own name wins over any alias."""

    def __init__(self, card: Callable[[], ModelCard], aliases: Mapping[str, str]) -> None:
        self._card = card
        self._given = dict(aliases)
        for alias, voice in aliases.items():
            if voice not in card().voices:
                raise ConfigError(f"voice_aliases.{alias}: there is no voice {voice!r}")

    def named(self) -> tuple[NamedVoice, ...]:
        aliases = self._aliases()
        return tuple(
            NamedVoice(voice, voice, tuple(a for a, v in aliases.items() if v == voice), voice)
            for voice in self._card().voices
        )

    def find(self, name: str) -> NamedVoice:
        """Raises NotFound."""
        own_name = self._aliases().get(name, name)
        for voice in self.named():
            if voice.name == own_name:
                return voice
        raise NotFound(f"there is no voice {name[:64]!r}", param="voice", code="voice_not_found")

    def _aliases(self) -> dict[str, str]:
        voices = self._card().voices
        dealt = {name: voices[i % len(voices)] for i, name in enumerate(OPENAI_VOICES) if voices}
        return {a: v for a, v in {**dealt, **self._given}.items() if a not in voices}
