"""What the cancels of one speech socket are answered with."""

import logging
from collections import OrderedDict
from contextlib import suppress
from dataclasses import asdict

from app.api.services import Services
from app.api.socket_outbox import SocketOutbox
from app.api.speech_context import SpeechContext
from app.auth.api_keys import Caller
from app.core import CancelAck, CancelState, SessionKey
from app.errors import ServeError
from app.spoken_words import Heard

log = logging.getLogger(__name__)

MAX_ENDED = 64  # contexts whose end is remembered


class SocketCancels:
    def __init__(
        self, services: Services, outbox: SocketOutbox, caller: Caller, socket_id: str
    ) -> None:
        self._services = services
        self._outbox = outbox
        self._caller = caller
        self._socket_id = socket_id
        self._ended: OrderedDict[str, str] = OrderedDict()  # session ids by context id
        self._stopping: dict[str, SpeechContext] = {}  # cancelled, until they end

    def ended(self, context: SpeechContext) -> None:
        if self._stopping.get(context.context_id) is context:
            del self._stopping[context.context_id]
        self._ended[context.context_id] = context.session_id
        self._ended.move_to_end(context.context_id)
        if len(self._ended) > MAX_ENDED:
            self._ended.popitem(last=False)

    async def stop(self, context: SpeechContext, played_ms: float | None) -> CancelAck:
        """Once the context has stopped."""
        if context.is_done:
            heard = await self._told(context.session_id, played_ms)
            heard = heard or context.heard(played_ms)
            return CancelAck(context.context_id, CancelState.ALREADY_DONE, heard=heard)
        self._stopping[context.context_id] = context
        try:
            return await context.cancel(played_ms)
        except ServeError as error:  # no registry: closing the stream stops the session too
            message = "socket %s: a cancel failed: %s"
            named = {"session": context.session_id}
            log.warning(message, self._socket_id, error.code, extra=named)
            heard = context.heard(played_ms)
            return CancelAck(context.context_id, CancelState.STOPPING, heard=heard)

    async def acknowledge_late(self, context_id: str, played_ms: float | None) -> None:
        """Of a context that has ended, or was never open. The client of one that has ended may play
        its sound for seconds yet."""
        heard = None
        if (context := self._stopping.get(context_id)) is not None:
            heard = context.heard(played_ms)
        elif (session_id := self._ended.get(context_id)) is not None:
            heard = await self._told(session_id, played_ms)
        await self.acknowledge(CancelAck(context_id, CancelState.ALREADY_DONE, heard=heard), None)

    async def _told(self, session_id: str, played_ms: float | None) -> Heard | None:
        """By the registry, which keeps what the client has played. None: it is away, or knows
        nothing of the session."""
        key = SessionKey(self._caller.tenant, session_id)
        with suppress(ServeError):
            return (await self._services.synthesizer.cancel(key, played_ms)).heard
        return None

    async def acknowledge(self, ack: CancelAck, context: SpeechContext | None) -> None:
        fields = asdict(ack)
        del fields["session_id"]
        number = None if context is None else context.number
        await self._outbox.event("cancelled", context_id=ack.session_id, stream=number, **fields)
