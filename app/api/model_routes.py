"""The routes that take the served model out of memory and load it again.

The configuration names the model: no route loads another. Knows nothing about how a model is
loaded.
"""

from fastapi import APIRouter
from starlette.responses import Response

from app.api.answers import ModelState
from app.api.dependencies import require_role
from app.api.errors import JsonResponse
from app.api.openapi import answer
from app.api.services import Services
from app.errors import NotServed
from app.key_settings import Role
from app.sessions.model_state import ModelLoader

_STATE = answer(ModelState)


def model_routes(services: Services, loader: ModelLoader | None) -> APIRouter:
    """Without `loader` the model stays in memory."""
    router = APIRouter(default_response_class=JsonResponse, dependencies=[require_role(Role.ADMIN)])

    async def load(family: str | None = None) -> Response:
        card = services.synthesizer.card()
        if family not in (None, card.family):
            raise NotServed(
                f"this server serves {card.name} of the family {card.family}, which "
                "POST /api/tts_load loads; to serve another model, change `model` in the "
                "configuration and deploy it again"
            )
        if loader is not None:
            await loader.load()
        return JsonResponse(ModelState(model=card.name, family=card.family, loaded=True))

    async def unload() -> Response:
        if loader is None:
            raise NotServed("this server keeps its model in memory while its process lives")
        await loader.unload()
        return JsonResponse(ModelState(model=services.synthesizer.card().name, loaded=False))

    @router.post("/v1/models/{model_id:path}/load", response_model=None, responses=_STATE)
    async def load_by_name(model_id: str) -> Response:
        """Load the served model. Answers when the model can speak, at once if it can already."""
        services.planner.models.check(model_id)
        return await load()

    @router.post("/v1/models/{model_id:path}/unload", response_model=None, responses=_STATE)
    async def unload_by_name(model_id: str) -> Response:
        """Answers when the model's memory is free. Live sessions end first, and none begins."""
        services.planner.models.check(model_id)
        return await unload()

    @router.post("/api/tts_load", response_model=None, responses=_STATE)
    @router.post("/api/load_tts", response_model=None, responses=_STATE)
    async def load_served() -> Response:
        """Load the served model, whatever its family. Answers when the model can speak."""
        return await load()

    @router.post("/api/tts_load_turbo", response_model=None, responses=_STATE)
    async def load_turbo() -> Response:
        """Load the served model if its family is `turbo`, else 501."""
        return await load("turbo")

    @router.post("/api/tts_load_multilingual", response_model=None, responses=_STATE)
    async def load_multilingual() -> Response:
        """Load the served model if its family is `multilingual`, else 501."""
        return await load("multilingual")

    @router.post("/api/unload_tts", response_model=None, responses=_STATE)
    @router.post("/api/tts_unload", response_model=None, responses=_STATE)
    async def unload_served() -> Response:
        """Answers when the model's memory is free. Live sessions end first, and none begins."""
        return await unload()

    return router
