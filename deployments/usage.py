"""The actor that counts what API keys use, for every ingress. Without it, keys that have limits are
refused with 503: nothing would count their use."""

import logging
from functools import partial
from typing import Any

from app.auth.quota import Admission, UsageCounter
from app.errors import Unavailable
from app.key_settings import Quota
from app.sessions.tasks import TaskSet
from deployments.named_actors import answer, named_actor

log = logging.getLogger(__name__)

WHAT = "usage counter of API keys"


def usage_actor(app_name: str) -> Any:
    """The handle of the application's usage counter. A restarted counter begins at zero."""
    return named_actor(UsageCounter, f"{app_name}-usage")


class RemoteUsage:
    """Implements app.auth.quota.Ledger."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor
        self._tasks = TaskSet(detached=True)

    async def admit(self, name: str, quota: Quota, predicted_s: float, live_s: float) -> Admission:
        call = partial(self._actor.admit.remote, name, quota, predicted_s, live_s)
        admission: Admission = await self._tasks.start(answer(call, WHAT))
        return admission

    async def charge_heard(self, name: str, quota: Quota, heard_s: float) -> Admission:
        call = partial(self._actor.charge_heard.remote, name, quota, heard_s)
        admission: Admission = await self._tasks.start(answer(call, WHAT))
        return admission

    async def settle(self, name: str, ticket: str, audio_s: float) -> None:
        await self._tasks.start(self._settle(name, ticket, audio_s))

    async def _settle(self, name: str, ticket: str, audio_s: float) -> None:
        call = partial(self._actor.settle.remote, name, ticket, audio_s)
        try:
            await answer(call, WHAT, within_s=None)
        except Unavailable as error:
            log.warning("%s The end of a session of key %s is not counted.", error.message, name)
