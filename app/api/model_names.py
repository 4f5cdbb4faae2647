"""From the name in a request to the served model: its own name, the operator's aliases, OpenAI's
names as aliases, and the names of other vendors' models. Knows nothing about how a model is
loaded."""

from collections.abc import Callable, Mapping

from app.errors import ConfigError, NotFound
from app.model_card import ModelCard

# Many clients send one of these names and cannot be told another.
OPENAI_MODELS = (
    "tts-1",
    "tts-1-hd",
    "gpt-4o-mini-tts",
    "tts-1-1106",
    "tts-1-hd-1106",
    "gpt-4o-mini-tts-2025-03-20",
    "gpt-4o-mini-tts-2025-12-15",
)
VENDOR_MODELS = ("sonic", "eleven")  # how Cartesia's and ElevenLabs' names begin; new ones come


def model_alias_faults(card: ModelCard, aliases: Mapping[str, str]) -> list[str]:
    """Of the operator's aliases: those that mean another model than the served one."""
    return [
        f"model_aliases.{alias}: there is no model {model!r}; served: {card.name!r}"
        for alias, model in aliases.items()
        if model != card.name
    ]


class ModelNames:
    """`aliases` are the operator's, from name to model. OpenAI's other names are aliases of the
    served model. A name that begins as those of another vendor's models do means the served model
    too, and is not listed. Capitals and spaces around a name do not count."""

    def __init__(self, card: Callable[[], ModelCard], aliases: Mapping[str, str]) -> None:
        self._card = card
        if faults := model_alias_faults(card(), aliases):
            raise ConfigError("\n".join(faults))
        self._aliases = tuple(dict.fromkeys((*aliases, *OPENAI_MODELS)))

    def aliases(self) -> tuple[str, ...]:
        """The operator's first."""
        own_name = _folded(self._card().name)
        return tuple(alias for alias in self._aliases if _folded(alias) != own_name)

    def check(self, name: str) -> None:
        """Raises NotFound for a name that means no served model."""
        if _folded(name).startswith(VENDOR_MODELS):
            return
        served, aliases = self._card().name, self.aliases()
        if _folded(name) not in map(_folded, (served, *aliases)):
            message = f"model {name[:64]!r} is not served here; the model is {served!r}"
            told = f", which is also called {', '.join(map(repr, aliases))}"
            raise NotFound(message + told, param="model", code="model_not_found")


def _folded(name: str) -> str:
    return name.strip().casefold()
