"""What the realtime route is given beside the services of every route."""

from dataclasses import dataclass, field

from app.api.realtime.observer import RealtimeObserver, Unobserved
from app.conversation.language_model import LanguageModel
from app.hearing.ears import Hearing, TurnDetection
from app.realtime_settings import RealtimeSettings


@dataclass(frozen=True, slots=True)
class RealtimeParts:
    hearing: Hearing
    language_model: LanguageModel
    settings: RealtimeSettings = field(default_factory=RealtimeSettings)
    turns: TurnDetection = field(default_factory=TurnDetection)  # where a client gives no value
    observer: RealtimeObserver = field(default_factory=Unobserved)
