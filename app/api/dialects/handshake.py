"""The refusal of a socket before it is accepted, for dialects that name a voice in the address."""

from fastapi import WebSocket

from app.api.errors import Shape, answer, has_status
from app.api.middleware import POLICY, TRY_AGAIN_LATER
from app.errors import ServeError


async def refuse(websocket: WebSocket, error: ServeError, shape: Shape | None = None) -> None:
    """The status and the body of the error; a close code where the server in front cannot answer a
    handshake with a status."""
    if has_status(websocket.scope):
        await websocket.send_denial_response(answer(error, shape))
        return
    code = TRY_AGAIN_LATER if error.status in (429, 503) else POLICY
    await websocket.close(code, error.code)
