"""What every route is given: the synthesizer and what surrounds it."""

from dataclasses import dataclass

from app.api.admission import AdmissionControl
from app.api.errors import CountRefusal, uncounted
from app.api.voices import Voices
from app.config import Limits, SocketLimits
from app.core import Synthesizer


@dataclass(frozen=True, slots=True)
class Services:
    synthesizer: Synthesizer
    voices: Voices
    limits: Limits
    sockets: SocketLimits
    admission: AdmissionControl
    refused: CountRefusal = uncounted
