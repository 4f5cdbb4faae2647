"""The context of a socket whose protocol has none: one at a time, which the first text opens.

It lasts over all turns, so that turns are spoken one after the other and the sound of all of them
is paced by one clock. A clear or an error ends it, and the next text opens another. What is left of
a text that failed is thrown away: it must not be spoken as a text of its own. Pure.
"""

from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import replace

from app.api.dialects.dialect import Opening, ServerMessage, Step
from app.api.dialects.values import text_of
from app.api.json_body import parse_object
from app.api.socket_messages import Cancel, Flush, Text
from app.errors import BadRequest

NUM_SILENT = 10  # times 20 ms


class OneContext:
    def __init__(self, opening: Opening) -> None:
        """`opening`: of every context; its name is given here."""
        self._opening = opening
        self._num_opened = 0
        self._name: str | None = None
        self._is_in_text = False  # text has come since the last flush
        self._is_failed = False  # the text that is coming has failed
        self._is_heard = False  # since the last flush
        self._num_dropped: object = 0  # characters of the context, up to the last flush
        self._had_text: deque[bool] = deque()  # of each flush that is not answered yet

    def body_of(self, frame: str) -> Generator[Step, None, dict[str, object]]:
        """Returns the message. Raises BadRequest where the frame is none: it may have been a part
        of the text that is coming, which is lost then."""
        try:
            return parse_object(frame.encode("utf-8", "surrogatepass"), "the message")
        except BadRequest:
            if self._is_in_text:
                yield from self.lose()
            raise

    def say(self, text: str) -> Iterator[Step]:
        self._is_in_text = True
        if self._is_failed:
            return
        if self._name is None:
            self._name = f"c{self._num_opened}"
            self._num_opened += 1
            start = self._opening.start.model_copy(update={"context_id": self._name})
            self._num_dropped = 0
            yield replace(self._opening, start=start)
        yield Text(type="text", context_id=self._name, text=text)

    def say_of(self, body: dict[str, object]) -> Iterator[Step]:
        """The field `text` of a message. Raises BadRequest where it has none; the text that is
        coming is lost then."""
        try:
            text = text_of(body, "text")
            if text is None:
                raise BadRequest("text: the text is missing", param="text")
        except BadRequest:
            yield from self.lose()
            raise
        yield from self.say(text)

    def flush(self) -> Iterator[Step]:
        """Nothing where no context is open."""
        had_text, self._is_in_text, self._is_failed = self._is_in_text, False, False
        if self._name is not None:
            self._had_text.append(had_text)
            yield Flush(type="flush", context_id=self._name)

    def clear(self) -> Iterator[Step]:
        self._is_in_text = self._is_failed = self._is_heard = False
        name, self._name = self._name, None
        self._had_text.clear()
        if name is not None:
            yield Cancel(type="cancel", context_id=name)

    def lose(self) -> Iterator[Step]:
        """A part of the text that is coming is lost. What is left of the text is thrown away."""
        yield from self.clear()
        self._is_in_text = self._is_failed = True

    @property
    def is_in_text(self) -> bool:
        """Whether text has come since the last flush."""
        return self._is_in_text

    @property
    def is_open(self) -> bool:
        return self._name is not None

    @property
    def is_failed(self) -> bool:
        """Whether the end of a text that has failed is still to come."""
        return self._is_failed

    def has(self, message: ServerMessage) -> bool:
        """Whether the message is about the context that is open now."""
        return self._name is not None and message.context_id == self._name

    def heard(self) -> None:
        self._is_heard = True

    def flushed(self, message: ServerMessage) -> bytes:
        """The sound that a turn still needs: a little silence where it had none, because clients
        take a turn without sound for a fault. Raises BadRequest where the model could read nothing
        of the turn."""
        had_text = self._had_text.popleft() if self._had_text else True
        is_heard, self._is_heard = self._is_heard, False
        num_dropped = message.fields.get("dropped_characters", 0)
        had_dropped, self._num_dropped = self._num_dropped, num_dropped
        if is_heard or not had_text:
            return b""
        if num_dropped != had_dropped:
            reason = "text: the model can read no letter of this text"
            raise BadRequest(reason, param="text", code="unsupported_characters")
        return self._opening.silence * NUM_SILENT

    def refused(self, message: ServerMessage) -> None:
        """The socket has refused a step, and ends the context that the step is about."""
        if self.has(message):
            self.failed()

    def failed(self) -> None:
        """The context has ended, and its speech is not whole."""
        self._name, self._is_heard = None, False
        self._had_text.clear()
        self._is_failed = self._is_in_text
