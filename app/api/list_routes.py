"""The routes that need no body: the server's name, its health, and its models as different clients
list them."""

import asyncio
import math
import time
from contextlib import suppress
from dataclasses import asdict

from fastapi import APIRouter
from starlette.responses import Response

from app.api.answers import AudioModelList, Model, ModelList, ServerName
from app.api.errors import JsonResponse
from app.api.openapi import HEALTH, answer
from app.api.services import Services
from app.core import HealthStatus
from app.errors import ServeError
from app.synthesizer import Synthesizer

# A late server is not sent away: a balancer would cut its callers off, and all replicas may be late
# together. New sessions are refused by admission, one by one.
_SPEAKING = (HealthStatus.OK, HealthStatus.LATE)
HEALTH_WITHIN_S = 1.0  # the list of models does not wait longer for the machine's speed
ASK_EVERY_S = 1.0  # the machine's speed hardly changes, and many clients list the models


def list_routes(services: Services, *, hears: bool) -> APIRouter:
    """`hears`: whether the realtime session is served."""
    router = APIRouter(default_response_class=JsonResponse)
    synthesizer = services.synthesizer
    created = int(time.time())
    real_time = _RealTime(synthesizer)

    async def model() -> Model:
        card = synthesizer.card()
        return Model(
            id=card.name,
            created=created,
            name=card.name,
            aliases=services.planner.models.aliases(),
            family=card.family,
            languages=card.languages,
            tags=card.tags,
            realtime=await real_time.answer(),
            hears=hears,
        )

    @router.get("/", response_model=None, responses=answer(ServerName))
    async def root() -> Response:
        """The name of this server. Needs no API key."""
        return JsonResponse(ServerName())

    @router.get("/health", response_model=None, responses=HEALTH)
    async def health() -> Response:
        """The status and the load of each stage; 503 unless it is ok or late. Needs no API key."""
        now = await synthesizer.health()
        return JsonResponse(asdict(now), 200 if now.status in _SPEAKING else 503)

    @router.get("/v1/models", response_model=None, responses=answer(ModelList))
    async def models() -> Response:
        """The model that is served."""
        return JsonResponse(ModelList(data=(await model(),)))

    @router.get("/v1/audio/models", response_model=None, responses=answer(AudioModelList))
    async def audio_models() -> Response:
        """The model that is served, as Open WebUI reads it."""
        listed = (await model(),)
        return JsonResponse(AudioModelList(data=listed, models=listed))

    @router.get("/v1/models/{model_id:path}", response_model=None, responses=answer(Model))
    async def one_model(model_id: str) -> Response:
        """The model that is served, by its name."""
        services.planner.models.check(model_id)
        return JsonResponse(await model())

    return router


class _RealTime:
    """Whether the machine speaks the model in real time; None while that is not measured, or was
    not told in time."""

    def __init__(self, synthesizer: Synthesizer) -> None:
        self._synthesizer = synthesizer
        self._answer: bool | None = None
        self._asked_s = -math.inf

    async def answer(self) -> bool | None:
        now_s = time.monotonic()
        if now_s - self._asked_s >= ASK_EVERY_S:
            self._asked_s = now_s
            with suppress(ServeError, TimeoutError):
                async with asyncio.timeout(HEALTH_WITHIN_S):
                    self._answer = (await self._synthesizer.health()).realtime
        return self._answer
