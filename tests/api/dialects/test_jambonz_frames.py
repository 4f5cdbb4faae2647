"""jambonz's frames under any order of a client's messages, wrong ones included, of what the socket
refuses and of what becomes of the speech, without a server."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.dialects.deepgram_fields import socket_opening
from app.api.dialects.dialect import KeepAlive, Opening, ServerMessage
from app.api.dialects.jambonz import Jambonz
from app.api.socket_messages import Cancel, Close, Flush, Text
from app.core import FinishReason
from app.errors import BadRequest, Overloaded

SOUND = b"\1\0" * 8
WRONG = ("", "{broken", "[]", "{}", '{"type": "sing"}', '{"type": ["stream"]}')
LOST = ('{"type": "stream"}', '{"type": "stream", "text": 7}', '{"type": "stream", "text": null}')
CONTROLS = [
    f'{{"{field}": "{kind}"}}'
    for field in ("type", "command")
    for kind in ("flush", "clear", "stop", "keepalive")
]
FRAMES = st.tuples(
    st.sampled_from(["stream", "stream", "stream", *CONTROLS, *WRONG, *LOST]),
    st.sampled_from([False, False, False, True]),  # the socket refuses its steps
)
KINDS = st.sampled_from(["audio", "words", "flushed", "cut", "unread", "error", "cancelled"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["stream", "flush", "clear", "stop", "keepalive", "synthesize"])


def jambonz():
    return Jambonz(socket_opening({}, "anna", ()))


class Wire:
    """Takes the steps as app/api/speech_socket.py does. A step about a context that is not open is
    an error of the test."""

    def __init__(self):
        self.dialect = jambonz()
        self.open = None
        self.ended = []
        self.spoken = []
        self.is_closing = False
        self.num_unread = 0  # characters of the context that the model cannot read

    def receives(self, frame, *, refuses=False):
        """The frames that answer it, and its error."""
        context_id, told, refused = None, [], None
        try:
            for step in self.dialect.read(frame):
                context_id = step.context_id
                self._take(step, refuses)
        except BadRequest as error:
            refused = error
            told += self.dialect.write(ServerMessage("error", context_id, error=error))
            if context_id is not None and context_id == self.open:
                self._end()
        return told, refused

    def _take(self, step, refuses):
        match step:
            case Opening():
                assert self.open is None
                assert step.context_id not in self.ended
                if refuses or self.is_closing:
                    raise BadRequest("type: no more contexts", param="type")
                self.open, self.num_unread = step.context_id, 0
            case Text() | Flush():
                assert step.context_id == self.open
                if refuses:
                    raise BadRequest("text: too much text waits", param="text")
                if isinstance(step, Text):
                    self.spoken.append(step.text)
            case Cancel():
                assert step.context_id == self.open
                self._end()
            case Close():
                assert step.context_id is None
                self.is_closing = True
            case _:
                assert isinstance(step, KeepAlive)

    def _end(self):
        self.ended.append(self.open)
        self.open = None

    def says(self, kind):
        """Of the context that is open."""
        error = Overloaded("full") if kind == "error" else None
        self.num_unread += 3 * (kind == "unread")
        fields = {"dropped_characters": self.num_unread, "finish_reason": FinishReason.STOP}
        if kind == "cut":
            kind, fields["finish_reason"] = "flushed", FinishReason.LENGTH
        elif kind == "unread":
            kind = "flushed"
        elif kind == "cancelled":  # from another connection
            kind, fields["finish_reason"] = "done", FinishReason.CANCELLED
        message = ServerMessage(kind, self.open, 0, fields, sound=SOUND, error=error)
        told = self.dialect.write(message)
        if kind in ("error", "done"):
            self._end()
        return told


def errors_of(frames):
    told = [json.loads(frame) for frame in frames if isinstance(frame, str)]
    assert all(message["type"] == "error" and message["error"] for message in told)
    return told


@given(st.lists(st.one_of(FRAMES, KINDS), max_size=40))
def test_every_text_is_spoken_once_or_an_error_is_told_and_the_rest_of_it_is_thrown_away(acts):
    wire, expected = Wire(), []
    is_in_text = is_lost = False  # until the text ends: by a flush, a clear or a stop
    for number, act in enumerate(acts):
        if isinstance(act, str):
            if wire.open is not None:
                told = errors_of(wire.says(act))
                assert bool(told) == (act in ("cut", "error", "cancelled")) or act == "unread"
                if act in ("error", "cancelled"):
                    is_lost = is_in_text
            continue
        frame, refuses = act
        is_text = frame == "stream"
        piece = f"{number} "
        content = json.dumps({"type": "stream", "text": piece}) if is_text else frame
        had_context = wire.open is not None
        told, refused = wire.receives(content, refuses=refuses)
        assert len(errors_of(told)) == len(told) == (refused is not None)
        if frame in CONTROLS and "keepalive" not in frame:
            is_in_text = is_lost = False
            assert (refused is None) or (refuses and "flush" in frame and had_context)
            if "flush" not in frame:
                assert wire.open is None
        elif is_text:
            if not is_lost and refused is None:
                expected.append(piece)
            assert refused is None or not is_lost
            is_in_text, is_lost = True, is_lost or refused is not None
        elif frame in LOST:
            assert refused is not None
            is_in_text = is_lost = True
        elif frame in WRONG:
            assert refused is not None
            if refused.code == "invalid_json":  # it may have been a part of the text
                is_lost = is_in_text
        else:
            assert refused is None
    assert wire.spoken == expected


@given(st.lists(st.one_of(FRAMES, KINDS), max_size=40))
def test_nothing_follows_the_end_of_a_context(acts):
    wire = Wire()
    for act in acts:
        if isinstance(act, str):
            if wire.open is not None:
                told = wire.says(act)
                assert [each for each in told if isinstance(each, bytes)] == (
                    [SOUND] if act == "audio" else []
                )
        else:
            frame, refuses = act
            content = '{"type": "stream", "text": "One "}' if frame == "stream" else frame
            wire.receives(content, refuses=refuses)
        for name in wire.ended:
            for kind in ("audio", "flushed", "cancelled", "done", "error"):
                error = Overloaded("full") if kind == "error" else None
                fields = {"finish_reason": FinishReason.CANCELLED}
                late = ServerMessage(kind, name, 0, fields, sound=SOUND, error=error)
                assert wire.dialect.write(late) == ()


@given(st.lists(st.dictionaries(st.sampled_from(["type", "command", "text"]),
                                VALUES | NAMES, max_size=3).map(json.dumps) | st.text(),
                max_size=8))  # fmt: skip
def test_any_frame_is_obeyed_or_refused_by_name(frames):
    wire = Wire()
    for frame in frames:
        told, refused = wire.receives(frame)
        assert len(errors_of(told)) == (refused is not None)
        assert refused is None or refused.code == "invalid_json" or refused.param


@pytest.mark.parametrize("refused", ['{"type": "stream", "text": "too much"}', '{"type": "flush"}'])
def test_a_text_after_a_refusal_of_the_socket_is_spoken(refused):
    wire = Wire()
    wire.receives('{"type": "stream", "text": "One "}')
    (error,), _ = wire.receives(refused, refuses=True)
    assert json.loads(error)["type"] == "error"
    assert wire.open is None
    wire.receives('{"type": "flush"}')
    assert wire.receives('{"type": "stream", "text": "Two "}') == ([], None)
    assert wire.spoken == ["One ", "Two "]
