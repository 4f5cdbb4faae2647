"""A hearing whose events the test tells, and a language model whose replies the test writes."""

import asyncio
import time
from collections import defaultdict

from app.conversation.language_model import ReplyEnd, TextPiece
from app.hearing.ears import (
    Aborted,
    FinalText,
    HearingFailed,
    Listening,
    PartialText,
    SpeechBegan,
    SpeechEnded,
    SpeechLasted,
)


class ScriptedEars:
    """The test's thread tells it what it hears."""

    def __init__(self, sound, turns):
        self.sound = sound
        self.turns = turns
        self.accepted = b""
        self.aborted = []
        self.generation = 0
        self.num_commits = 0
        self.num_clears = 0
        self.is_closed = False
        self.has_open = False
        self._loop = asyncio.get_running_loop()
        self._events = asyncio.Queue()

    # What the session does with it

    async def accept(self, sound):
        self.accepted += sound
        if self.turns is None and not self.has_open:
            self.generation += 1
            self.has_open = True

    async def events(self):
        while (event := await self._events.get()) is not None:
            if isinstance(event, Exception):
                raise event
            yield event

    async def configure(self, sound, turns):
        forgotten = self._forget() if turns != self.turns else None
        self.sound, self.turns = sound, turns
        return forgotten

    async def commit(self):
        self.num_commits += 1
        if not self.has_open:
            return None
        self.has_open = False
        return self.generation

    async def clear(self):
        self.num_clears += 1
        return self._forget()

    def _forget(self):
        had_open, self.has_open = self.has_open, False
        return self.generation if had_open else None

    async def abort(self, up_to):
        self.aborted.append(up_to)
        return Aborted(up_to, time.monotonic(), time.monotonic())

    async def aclose(self):
        self.is_closed = True
        self._events.put_nowait(None)

    # What the test does with it, from any thread

    def tell(self, event):
        self._loop.call_soon_threadsafe(self._events.put_nowait, event)

    def begins(self, at_s=1.0):
        self.generation += 1
        self.has_open = True
        self.tell(SpeechBegan(self.generation, at_s, at_s + 0.1, time.monotonic()))
        self.tell(Listening(self.generation, time.monotonic()))

    def lasts(self):
        self.tell(SpeechLasted(self.generation, time.monotonic()))

    def ends(self, at_s=2.0):
        self.has_open = False
        self.tell(SpeechEnded(self.generation, at_s, at_s + 0.5, time.monotonic()))

    def understands(self, text, *partials):
        for partial in partials:
            self.tell(PartialText(self.generation, partial))
        self.tell(FinalText(self.generation, text, 1.0))

    def fails(self, code):
        self.tell(HearingFailed(self.generation, code, "the recogniser failed"))

    def hears(self, text):
        self.begins()
        self.ends()
        self.understands(text)


class ScriptedHearing:
    """Implements app.hearing.ears.Hearing. `error`: what the next call is refused with."""

    def __init__(self):
        self.calls = []
        self.error = None

    async def open_call(self, sound, turns):
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        self.calls.append(ScriptedEars(sound, turns))
        return self.calls[-1]

    async def aclose(self):
        """Holds nothing."""


class ScriptedModel:
    """Gives its replies one after the other, and then the last one again. A reply is a text, or a
    list of pieces and errors; `...` waits until the reply is cancelled."""

    is_echo = False

    def __init__(self, *replies):
        self._replies = list(replies)
        self.requests = []
        self.ended = defaultdict(int)

    async def reply(self, request):
        self.requests.append(request)
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        pieces = [TextPiece(reply), ReplyEnd("stop", 12, 5)] if isinstance(reply, str) else reply
        how = "cancelled"
        try:
            for piece in pieces:
                if piece is ...:
                    await asyncio.Event().wait()
                if isinstance(piece, Exception):
                    raise piece
                yield piece
            how = "finished"
        finally:
            self.ended[how] += 1

    async def aclose(self):
        """Holds nothing."""
