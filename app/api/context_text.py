"""The text of a context: pieces come in, takes and orders go out, in order.

Knows nothing about sessions or sound.
"""

import asyncio
from enum import Enum, auto

from app.errors import BadRequest
from app.text.incremental import IncrementalText
from app.text.plan import TextRules
from app.text.takes import Take

MAX_ORDERS = 1000
READ_AT_ONCE = 128  # characters: a millisecond, for hostile text tens of them


class Order(Enum):
    FLUSHED = auto()
    CLOSE = auto()


class ContextText:
    def __init__(
        self, rules: TextRules, *, max_buffer_s: float, max_held_chars: int | None
    ) -> None:
        """Text waits at most `max_buffer_s` for the end of its sentence. `max_held_chars` None: who
        pushes bounds the text."""
        self._text = IncrementalText.of(rules)
        self._max_buffer_s = max_buffer_s
        self._max_held_chars = max_held_chars
        self._orders: asyncio.Queue[Take | Order | None] = asyncio.Queue()  # None: text has come
        self._pieces: list[str] = []
        self._buffered_since_s = 0.0  # when the text that is in no take yet began to come
        self._num_waiting_chars = 0  # in takes that are not being spoken yet
        self._num_pushes = 0  # that are being read now: their text has not waited yet
        self._is_closing = False

    @property
    def whole(self) -> str:
        """All text that has come."""
        self._pieces = ["".join(self._pieces)]
        return self._pieces[0]

    @property
    def num_held(self) -> int:
        """Characters that have come and are not being spoken yet."""
        return len(self._text) + self._num_waiting_chars

    @property
    def is_idle(self) -> bool:
        return self._orders.empty()

    @property
    def is_owed(self) -> bool:
        """Whether text has come that is to be spoken, or waits for its end."""
        return not (self.is_idle and self._text.is_blank)

    async def push(self, text: str) -> None:
        """Raises BadRequest if the context is closing, or too much text waits already."""
        self._refuse_if_closing()
        held = self.num_held
        limit = self._max_held_chars
        if limit is not None and held + len(text) > limit:
            message = f"text: {held} characters wait already; the limit is {limit}"
            raise BadRequest(message, param="text", code="buffer_full")
        self._pieces.append(text)
        self._num_pushes += 1
        try:
            for at in range(0, len(text), READ_AT_ONCE):
                self._read(text[at : at + READ_AT_ONCE])
                await asyncio.sleep(0)  # other streams move on while a long text is read
        finally:
            self._num_pushes -= 1
            if self._orders.empty():
                self._orders.put_nowait(None)  # from now on it waits

    def flush(self) -> None:
        """Raises BadRequest as `push` does."""
        self._refuse_if_closing()
        if self._orders.qsize() >= MAX_ORDERS:
            message = f"type: {MAX_ORDERS} takes and flushes are waiting already"
            raise BadRequest(message, param="type", code="buffer_full")
        self._order(self._text.flush())
        self._orders.put_nowait(Order.FLUSHED)

    def close(self) -> None:
        """Idempotent."""
        if not self._is_closing:
            self._is_closing = True
            self._order(self._text.flush())
            self._orders.put_nowait(Order.CLOSE)

    async def next(self) -> Take | Order:
        """Text that waits too long for the end of its sentence is a take without it: the language
        model that sends the text may have paused."""
        while True:
            is_waiting = len(self._text) and not self._num_pushes
            until_s = self._buffered_since_s + self._max_buffer_s if is_waiting else None
            try:
                async with asyncio.timeout_at(until_s):
                    order = await self._orders.get()
            except TimeoutError:
                self._order(self._text.flush(goes_on=True))
                continue
            if isinstance(order, Take):
                self._num_waiting_chars -= len(order.text)
            if order is not None:
                return order

    def _read(self, text: str) -> None:
        was_empty = not len(self._text)
        takes = self._text.push(text)
        if takes or was_empty:  # the text that is left came now
            self._buffered_since_s = asyncio.get_running_loop().time()
        self._order(takes)

    def _order(self, takes: list[Take]) -> None:
        for take in takes:
            self._num_waiting_chars += len(take.text)
            self._orders.put_nowait(take)

    def _refuse_if_closing(self) -> None:
        if self._is_closing:
            message = "context_id: this context is closing and takes no more text"
            raise BadRequest(message, param="context_id")
