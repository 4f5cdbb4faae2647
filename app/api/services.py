"""What every route is given: the synthesizer and what surrounds it."""

from dataclasses import dataclass

from app.api.turnstile import Turnstile
from app.config import Limits, SocketLimits
from app.core import Synthesizer
from app.voice_catalogue import VoiceCatalogue


@dataclass(frozen=True, slots=True)
class Services:
    synthesizer: Synthesizer
    catalogue: VoiceCatalogue
    limits: Limits
    sockets: SocketLimits
    turnstile: Turnstile
