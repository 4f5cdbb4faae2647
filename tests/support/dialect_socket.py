"""A speech socket without sound: takes a dialect's steps as app/api/speech_socket.py does, and says
what its contexts say. A step that the real socket would refuse is an error of the test."""

import json

from app.api.dialects.dialect import KeepAlive, Opening, Reply, ServerMessage
from app.api.events import words_of
from app.api.socket_messages import Cancel, Close, Flush, Text
from app.errors import BadRequest
from app.spoken_words import SpokenWord


class DialectSocket:
    """`texts`: what each context was given, by our name of it; `told`: the frames, as JSON."""

    def __init__(self, dialect):
        self.dialect = dialect
        self.told = []
        self.texts = {}
        self.openings = {}
        self.open = []  # names of contexts that may still be spoken to
        self.closing = set()
        self.is_closing = False
        self.num_kept_alive = 0

    def receives(self, frame):
        """The errors of a frame are told, as in the real socket."""
        context_id = None
        try:
            for step in self.dialect.read(frame if isinstance(frame, str) else json.dumps(frame)):
                context_id = step.context_id
                self._take(step)
        except BadRequest as error:
            self._tell(ServerMessage("error", context_id, error=error))
            if self.dialect.ends_failed and context_id in self.open:
                self._take(Cancel(type="cancel", context_id=context_id))

    def _take(self, step):
        match step:
            case KeepAlive():
                self.num_kept_alive += 1
            case Reply():
                self.told.append(json.loads(step.frame))
            case Opening():
                assert step.context_id not in self.texts, "a name is used once"
                self.texts[step.context_id] = ""
                self.openings[step.context_id] = step
                self.open.append(step.context_id)
            case Text():
                assert step.context_id in self.open
                if step.context_id in self.closing:
                    raise BadRequest("context_id: this context is closing")
                self.texts[step.context_id] += step.text
            case Flush():
                assert step.context_id in self.open
                assert step.context_id not in self.closing
                self._tell(ServerMessage("flushed", step.context_id, 0))
            case Cancel():
                if step.context_id in self.open:
                    self.open.remove(step.context_id)
                    self._tell(ServerMessage("cancelled", step.context_id, 0))
            case Close(context_id=None):
                self.is_closing = True
                self.closing |= set(self.open)
            case Close():
                assert step.context_id in self.open
                self.closing.add(step.context_id)

    def says(self, kind, name, *, sound=b"", error=None, **fields):
        if name in self.open:
            if kind in ("done", "error"):
                self.open.remove(name)
            self._tell(ServerMessage(kind, name, 0, fields, sound=sound, error=error))

    def speaks(self, name, sound=b"\1\0" * 8):
        self.says("audio", name, sound=sound)

    def words(self, name, *words):
        """Each word: its text, its start and end in ms, and its place in the text."""
        told = [
            SpokenWord(text, char_start, char_end, start_ms, end_ms)
            for text, start_ms, end_ms, char_start, char_end in words
        ]
        self.says("words", name, **words_of(told))

    def ends(self, name, finish_reason="stop"):
        self.says("done", name, finish_reason=finish_reason)

    def _tell(self, message):
        self.told += [json.loads(frame) for frame in self.dialect.write(message)]

    def taken(self):
        """The frames since the last call."""
        told, self.told = self.told, []
        return told
