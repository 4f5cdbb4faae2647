"""What every route is given: the synthesizer and everything around it."""

from dataclasses import dataclass, field

from app.api.admission import AdmissionControl
from app.api.errors import CountRefusal, uncounted
from app.api.prebuffer import Prebuffers
from app.api.pronunciations import Pronunciations
from app.api.speech_job import SpeechPlanner
from app.api.voices import Voices
from app.key_settings import SocketLimits
from app.synthesizer import Synthesizer


@dataclass(frozen=True, slots=True)
class Services:
    synthesizer: Synthesizer
    planner: SpeechPlanner
    voices: Voices
    pronunciations: Pronunciations
    sockets: SocketLimits
    admission: AdmissionControl
    refused: CountRefusal = uncounted
    prebuffers: Prebuffers = field(default_factory=Prebuffers)
