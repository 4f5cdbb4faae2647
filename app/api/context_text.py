"""The text of a context: pieces come in, takes and orders go out, in order.

Knows nothing about sessions or sound.
"""

import asyncio
from collections import deque
from enum import Enum, auto

from app.errors import BadRequest
from app.sessions.tasks import cancel_and_wait
from app.text.incremental import IncrementalText
from app.text.plan import TextRules
from app.text.takes import Take

MAX_ORDERS = 1000
# A piece of so many characters is cut on the event loop: 0.06 ms at the median and at most 1.2 ms
# of hostile text, where the way to a thread and back takes 0.04 ms of an idle loop (2026-11-30).
# A language model's pieces are shorter.
MAX_CHARS_HERE = 16
# In a thread at a time: 3 ms, of hostile text 30 ms. Behind them a context that has ended stops.
CHARS_IN_THREAD = 512


class Order(Enum):
    FLUSHED = auto()
    CLOSE = auto()


class Waited:
    """Text has waited for the end of its sentence as long as it may."""


_WAITED = Waited()


class ContextText:
    def __init__(
        self, rules: TextRules, *, max_buffer_s: float, max_held_chars: int | None
    ) -> None:
        """Text waits at most `max_buffer_s` for the end of its sentence; an open item, such as half
        a number, at most twice as long from the last text that came. With 0, every text counts as
        whole. `max_held_chars` None: who pushes bounds the text."""
        self._text = IncrementalText.of(rules)
        self._max_buffer_s = max_buffer_s
        self._max_held_chars = max_held_chars
        self._orders: asyncio.Queue[Take | Order | None] = asyncio.Queue()  # None: text was cut
        self._unread: deque[str | Order | Waited] = deque()  # what comes while a thread cuts text
        self._reading: asyncio.Task[None] | None = None  # of `_unread`, until that is empty
        self._num_unread = 0  # characters
        self._num_kept = 0  # characters that are cut and in no take yet
        self._pieces: list[str] = []
        self._buffered_since_s = 0.0  # when the text that is in no take yet began to come
        self._came_s = 0.0  # when the last text came
        self._is_open = False  # nothing but an open item waits
        self._num_waiting_chars = 0  # in takes that are not being spoken yet
        self._is_closing = False

    @property
    def whole(self) -> str:
        """All text that has come."""
        self._pieces = ["".join(self._pieces)]
        return self._pieces[0]

    @property
    def num_held(self) -> int:
        """Characters that have come and are not being spoken yet."""
        return self._num_unread + self._num_kept + self._num_waiting_chars

    @property
    def is_idle(self) -> bool:
        return self._orders.empty() and not self._is_reading

    @property
    def is_owed(self) -> bool:
        """Whether text has come that is to be spoken, or waits for its end."""
        return not (self.is_idle and self._text.is_blank)

    async def push(self, text: str) -> None:
        """Does not wait until the text is cut, except where it may be too much. Raises BadRequest
        if the context is closing, or too much text waits already."""
        self._refuse_if_closing()
        if self._is_too_much(text) and self._reading is not None:
            await asyncio.wait({self._reading})  # white space and reasoning are not kept
            self._refuse_if_closing()
        if self._is_too_much(text):
            limit, held = self._max_held_chars, self.num_held
            message = f"text: {held} characters wait already; the limit is {limit}"
            raise BadRequest(message, param="text", code="buffer_full")
        self._pieces.append(text)
        self._came_s = asyncio.get_running_loop().time()
        if not self._is_reading and len(text) <= MAX_CHARS_HERE:
            self._take_in(self._text.push(text))
            self._wake()
        else:
            self._num_unread += len(text)
            self._read_later(text)
        await asyncio.sleep(0)  # other streams move on while many pieces come

    def flush(self) -> None:
        """Raises BadRequest as `push` does."""
        self._refuse_if_closing()
        if self._orders.qsize() + self._unread.count(Order.FLUSHED) >= MAX_ORDERS:
            message = f"type: {MAX_ORDERS} takes and flushes are waiting already"
            raise BadRequest(message, param="type", code="buffer_full")
        self._end_with(Order.FLUSHED)

    def close(self) -> None:
        """Idempotent."""
        if not self._is_closing:
            self._is_closing = True
            self._end_with(Order.CLOSE)

    async def stop(self) -> None:
        """The context has ended: what has come is not cut any more. A thread ends behind at most
        CHARS_IN_THREAD characters; this call does not wait for it."""
        self._unread.clear()
        self._num_unread = 0
        if self._reading is not None:
            await cancel_and_wait(self._reading)

    async def next(self) -> Take | Order:
        """Text that waits too long for the end of its sentence is a take without it: the language
        model that sends the text may have paused."""
        while True:
            try:
                async with asyncio.timeout_at(self._waits_until_s()):
                    order = await self._orders.get()
            except TimeoutError:
                self._take_waiting()
                continue
            if isinstance(order, Take):
                self._num_waiting_chars -= len(order.text)
            if order is not None:
                return order
            if self._reading is not None and self._reading.done():
                self._reading.result()  # raises what a bug has raised

    def _waits_until_s(self) -> float | None:
        """None: no text waits, or it is being cut."""
        if not self._num_kept or self._is_reading:
            return None
        if self._is_open:
            return self._came_s + 2 * self._max_buffer_s
        return self._buffered_since_s + self._max_buffer_s

    def _take_waiting(self) -> None:
        """Time does not cut an open item. A client that waits for no end sends whole sentences."""
        if self._is_open or not self._max_buffer_s:
            self._take_in(self._text.flush(goes_on=True))
        else:
            self._read_later(_WAITED)

    @property
    def _is_reading(self) -> bool:
        return self._reading is not None and not self._reading.done()

    def _is_too_much(self, text: str) -> bool:
        limit = self._max_held_chars
        return limit is not None and self.num_held + len(text) > limit

    def _end_with(self, order: Order) -> None:
        """Behind all text that has come."""
        if self._is_reading:
            self._unread.append(order)
        else:
            self._end_here(order)

    def _end_here(self, order: Order) -> None:
        self._take_in(self._text.flush())
        self._orders.put_nowait(order)

    def _read_later(self, order: "str | Order | Waited") -> None:
        self._unread.append(order)
        if not self._is_reading:
            self._reading = asyncio.ensure_future(self._read())
            self._reading.add_done_callback(self._has_read)

    async def _read(self) -> None:
        """In order. Nothing else touches the text until this is done."""
        while self._unread:
            order = self._unread.popleft()
            if isinstance(order, Order):
                self._end_here(order)
                continue
            if isinstance(order, Waited):
                self._take_in(await asyncio.to_thread(self._text.flush_closed))
                self._is_open = self._num_kept > 0
                continue
            pieces = [order]
            while self._unread and isinstance(piece := self._unread[0], str):
                pieces.append(piece)
                self._unread.popleft()
            await self._cut("".join(pieces))

    async def _cut(self, text: str) -> None:
        for at in range(0, len(text), CHARS_IN_THREAD):
            part = text[at : at + CHARS_IN_THREAD]
            takes = await asyncio.to_thread(self._text.push, part)
            self._num_unread -= len(part)
            self._take_in(takes)

    def _has_read(self, reading: "asyncio.Task[None]") -> None:
        is_failed = not reading.cancelled() and reading.exception() is not None
        self._wake(is_needed=is_failed)

    def _wake(self, *, is_needed: bool = False) -> None:
        """`next` looks anew at how long text has waited, and whether it was cut."""
        if is_needed or self._orders.empty():
            self._orders.put_nowait(None)

    def _take_in(self, takes: list[Take]) -> None:
        """What a push or a flush of the text has given."""
        self._is_open = False
        was_empty, self._num_kept = not self._num_kept, len(self._text)
        if takes or was_empty:  # the text that is left came now
            self._buffered_since_s = asyncio.get_running_loop().time()
        for take in takes:
            self._num_waiting_chars += len(take.text)
            self._orders.put_nowait(take)

    def _refuse_if_closing(self) -> None:
        if self._is_closing:
            message = "context_id: this context is closing and takes no more text"
            raise BadRequest(message, param="context_id")
