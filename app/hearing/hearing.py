"""Opens the hearing of calls, as the configuration says."""

from dataclasses import dataclass

from app.hearing.call import CallEars
from app.hearing.ears import SoundFormat, TurnDetection
from app.hearing.recogniser import MAKERS
from app.hearing.recogniser_host import RecogniserHost
from app.hearing.sidecar_host import SidecarHost
from app.hearing.subprocess_host import SubprocessHost
from app.hearing_settings import HearingSettings


@dataclass(frozen=True, slots=True)
class LocalHearing:
    """Implements app.hearing.ears.Hearing in this process. Used by one event loop."""

    settings: HearingSettings
    host: RecogniserHost

    async def open_call(self, sound: SoundFormat, turns: TurnDetection | None) -> CallEars:
        return await CallEars.open(self.settings, self.host, sound, turns)

    async def aclose(self) -> None:
        await self.host.aclose()


async def open_hearing(settings: HearingSettings) -> LocalHearing:
    """Starts the recognisers that are kept ready. Raises Unavailable."""
    if settings.host == "sidecar":
        assert settings.sidecar_url is not None  # HearingSettings requires it
        return LocalHearing(settings, SidecarHost(settings.sidecar_url))
    host = SubprocessHost(
        MAKERS[settings.recogniser],
        settings.recogniser_model,
        settings.python,
        settings.num_recognisers,
        settings.num_warm,
    )
    await host.start()
    return LocalHearing(settings, host)
