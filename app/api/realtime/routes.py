"""The route of the realtime session, which is served where the server hears."""

from collections.abc import Mapping

from fastapi import APIRouter, WebSocket

from app.api.dependencies import caller_of, require_role
from app.api.dialects.handshake import refuse
from app.api.errors import JsonResponse
from app.api.realtime.parts import RealtimeParts
from app.api.realtime.session import RealtimeSession
from app.api.realtime.session_fields import SessionFields
from app.api.realtime.session_state import state_of
from app.api.services import Services
from app.errors import ServeError
from app.key_settings import Role

PATH = "/v1/realtime"
SOCKETS: Mapping[str, str] = {
    PATH: "OpenAI's Realtime API, where `hearing:` is set; docs/realtime.md describes it"
}
MAX_MODEL_CHARS = 128


def realtime_routes(services: Services, parts: RealtimeParts) -> APIRouter:
    router = APIRouter(default_response_class=JsonResponse, dependencies=[require_role(Role.SPEAK)])

    @router.websocket(PATH)
    async def converse(websocket: WebSocket) -> None:
        caller = caller_of(websocket)
        try:
            state = await state_of(SessionFields(), services, caller, parts.turns)
        except ServeError as error:
            services.refused(error.code)
            await refuse(websocket, error)
            return
        card = services.synthesizer.card()
        model = websocket.query_params.get("model", card.name)[:MAX_MODEL_CHARS]
        await websocket.accept(subprotocol=_subprotocol(websocket))
        session = RealtimeSession(
            websocket,
            services,
            parts,
            caller,
            state,
            session_id=websocket.state.request_id,
            model=model,
        )
        await session.serve()

    return router


def _subprotocol(websocket: WebSocket) -> str | None:
    """OpenAI's clients in a browser offer `realtime`."""
    offered: list[str] = websocket.scope.get("subprotocols", [])
    return "realtime" if "realtime" in offered else None
