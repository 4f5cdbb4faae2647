"""Counts the sound that a client sends: by its key's quota, and against the clock.

Sound is charged in blocks, each before it is heard. Knows nothing about what is said.
"""

import time
from collections.abc import Callable

from app.api.admission import AdmissionControl
from app.auth.api_keys import Caller
from app.errors import BadRequest
from app.hearing.incoming_pace import IncomingPace

BLOCK_S = 10.0


class HeardQuota:
    def __init__(
        self,
        admission: AdmissionControl,
        caller: Caller,
        max_behind_s: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`max_behind_s`: sound that may come ahead of the clock."""
        self._admission = admission
        self._caller = caller
        self._max_behind_s = max_behind_s
        self._pace = IncomingPace(now)
        self._charged_s = 0.0  # that was not used yet

    def pace(self, seconds: float) -> None:
        """Raises BadRequest for sound that comes faster than it can be spoken."""
        if self._pace.ahead_s + seconds > self._max_behind_s:
            message = f"audio: more than {self._max_behind_s:g} s of sound came ahead of the clock"
            raise BadRequest(message, param="audio", code="input_audio_too_fast")
        self._pace.came(seconds)

    async def charge(self, seconds: float) -> None:
        """Raises RateLimited, and Unavailable where the ledger does not answer."""
        while self._charged_s < seconds:
            await self._admission.charge_heard(self._caller, BLOCK_S)
            self._charged_s += BLOCK_S
        self._charged_s -= seconds
