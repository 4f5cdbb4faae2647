"""Deepgram's frames and the messages of our own socket, without a server."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.dialects.deepgram import Deepgram
from app.api.dialects.deepgram_fields import file_opening, socket_opening
from app.api.dialects.dialect import Opening, Reply, ServerMessage
from app.api.socket_messages import Cancel, Close, Flush, Text
from app.core import FinishReason
from app.errors import BadRequest, Overloaded

FRAMES = st.sampled_from(
    [
        '{"type": "Speak", "text": "One "}',
        '{"type": "Flush"}',
        '{"type": "Clear"}',
        '{"type": "Wrong"}',
        "",
    ]
)
KINDS = st.sampled_from(["audio", "flushed", "error", "cancelled", "words", "started"])


@pytest.fixture
def dialect():
    return Deepgram(socket_opening({}, "anna", ()))


def read(dialect, kind, **fields):
    return list(dialect.read(json.dumps({"type": kind, **fields})))


def written(dialect, kind, context_id="c0", **named):
    named.setdefault("stream", None if context_id is None else 0)
    frames = dialect.write(ServerMessage(kind, context_id, **named))
    return [frame if isinstance(frame, bytes) else json.loads(frame) for frame in frames]


def test_words_are_one_text_and_a_flush_is_its_end(dialect):
    opening, first = read(dialect, "Speak", text="One ")
    (second,) = read(dialect, "Speak", text="two.")
    (flush,) = read(dialect, "Flush")
    assert [type(step) for step in (opening, first, second, flush)] == [Opening, Text, Text, Flush]
    assert (first.text, second.text) == ("One ", "two.")
    assert written(dialect, "audio", sound=b"ab") == [b"ab"]
    assert written(dialect, "flushed") == [{"type": "Flushed", "sequence_id": 0}]


def test_a_clear_is_answered_at_once_and_nothing_of_the_context_follows(dialect):
    read(dialect, "Speak", text="One ")
    cancel, cleared = read(dialect, "Clear")
    assert isinstance(cancel, Cancel)
    assert json.loads(cleared.frame) == {"type": "Cleared", "sequence_id": 0}
    for kind in ("audio", "flushed", "cancelled", "done"):
        assert written(dialect, kind, sound=b"ab") == []


def test_a_close_stops_what_speaks(dialect):
    read(dialect, "Speak", text="One ")
    read(dialect, "Flush")
    assert [type(step) for step in read(dialect, "Close")] == [Cancel, Close]
    assert [type(step) for step in read(dialect, "Close")] == [Close]


def test_a_flush_of_nothing_is_answered(dialect):
    (reply,) = read(dialect, "Flush")
    assert json.loads(reply.frame) == {"type": "Flushed", "sequence_id": 0}


def test_a_turn_without_a_word_has_a_little_silence(dialect):
    read(dialect, "Speak", text="🙂")
    read(dialect, "Flush")
    silence, flushed = written(dialect, "flushed")
    assert (len(silence), set(silence)) == (24_000 * 2 // 5, {0})
    assert flushed["type"] == "Flushed"


def test_a_speech_that_failed_is_an_error_with_the_fields_of_both_frameworks(dialect):
    read(dialect, "Speak", text="One ")
    (error,) = written(dialect, "error", error=Overloaded("no slot is free"))
    told = {"err_code": "overloaded", "err_msg": "no slot is free"}
    assert told.items() <= error.items()
    assert error["type"] == "Error"


def test_a_text_after_a_refusal_of_the_socket_is_spoken(dialect):
    read(dialect, "Speak", text="One ")
    read(dialect, "Speak", text="too much")
    (error,) = written(dialect, "error", error=BadRequest("too much text waits"), stream=None)
    assert error["type"] == "Error"
    assert read(dialect, "Flush") == []
    opening, text = read(dialect, "Speak", text="Two.")
    assert opening.context_id == text.context_id == "c1"


def test_a_turn_that_failed_has_no_end(dialect):
    read(dialect, "Speak", text="One ")
    written(dialect, "error", error=Overloaded("full"))
    assert read(dialect, "Speak", text="two.") == []
    assert read(dialect, "Flush") == []
    assert len(read(dialect, "Speak", text="Next.")) == 2


def test_a_speech_that_was_cancelled_elsewhere_is_an_error(dialect):
    read(dialect, "Speak", text="One ")
    fields = {"finish_reason": FinishReason.CANCELLED}
    (error,) = written(dialect, "done", fields=fields)
    assert (error["type"], error["err_code"]) == ("Error", "cancelled")


def test_a_wrong_frame_is_a_warning_and_a_lost_text_an_error(dialect):
    with pytest.raises(BadRequest) as refused:
        read(dialect, "Whisper")
    (warning,) = written(dialect, "error", None, error=refused.value)
    assert warning["type"] == "Warning"
    assert warning["description"] == warning["warn_msg"]
    assert warning["code"] == "invalid_value"
    with pytest.raises(BadRequest) as refused:
        read(dialect, "Speak", text=7)
    assert written(dialect, "error", None, error=refused.value)[0]["type"] == "Error"


@given(st.lists(st.one_of(FRAMES, KINDS), max_size=40))
def test_no_sound_follows_a_cleared_and_sequence_ids_count_up(acts):
    dialect, opened, ids = Deepgram(socket_opening({}, "anna", ())), [], []

    def told(frames):
        for frame in frames:
            if isinstance(frame, str) and "sequence_id" in frame:
                ids.append(json.loads(frame)["sequence_id"])

    for act in acts:
        if act.isalpha():
            context_id = opened[-1] if opened else "c0"
            error = Overloaded("full") if act == "error" else None
            frames = dialect.write(ServerMessage(act, context_id, 0, sound=b"ab", error=error))
            assert opened or frames == ()
            told(frames)
            if act == "error":
                opened.clear()
            continue
        try:
            steps = list(dialect.read(act))
        except BadRequest as error:
            told(dialect.write(ServerMessage("error", None, error=error)))
            continue
        told(step.frame for step in steps if isinstance(step, Reply))
        opened += [step.context_id for step in steps if isinstance(step, Opening)]
        if any(isinstance(step, Cancel) for step in steps):
            stopped = opened[-1]
            opened.clear()
            assert dialect.write(ServerMessage("audio", stopped, 0, sound=b"ab")) == ()
    assert ids == sorted(set(ids))


@pytest.mark.parametrize(
    ("query", "rate", "silence"),
    [
        ({}, 24_000, b"\0" * 960),
        ({"encoding": "linear16", "sample_rate": "16000"}, 16_000, b"\0" * 640),
        ({"encoding": "mulaw"}, 8000, b"\xff" * 160),
        ({"encoding": "alaw", "sample_rate": "16000"}, 16_000, b"\xd5" * 320),
    ],
)
def test_a_socket_has_raw_sound_at_the_rate_that_is_asked_for(query, rate, silence):
    opening = socket_opening(query, "anna", ())
    assert (opening.start.sample_rate, opening.silence) == (rate, silence)


@pytest.mark.parametrize(
    ("query", "content_type", "rate"),
    [
        ({}, "audio/mpeg", 22_050),
        ({"encoding": "linear16"}, "audio/wav", 24_000),
        ({"encoding": "linear16", "container": "none"}, "audio/pcm", 24_000),
        ({"encoding": "opus"}, "audio/ogg; codecs=opus", 48_000),
        ({"encoding": "flac", "sample_rate": "16000"}, "audio/flac", 16_000),
        ({"encoding": "mulaw", "container": "wav"}, "audio/wav", 8000),
    ],
)
def test_a_file_has_the_container_of_its_encoding(query, content_type, rate):
    opening = file_opening(query, "anna", ())
    assert (opening.sound.content_type, opening.start.sample_rate) == (content_type, rate)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"encoding": "mp4"}, "encoding"),
        ({"sample_rate": "fast"}, "sample_rate"),
        ({"sample_rate": "²"}, "sample_rate"),
        ({"sample_rate": "999999"}, "sample_rate"),
        ({"encoding": "linear16", "container": "ogg"}, "container"),
        ({"callback": "http://127.0.0.1/"}, "callback"),
        ({"speed": "quick"}, "speed"),
    ],
)
def test_what_cannot_be_made_is_refused_by_name(query, param):
    with pytest.raises(BadRequest) as refused:
        file_opening(query, "anna", ())
    assert refused.value.param == param


def test_the_model_of_the_query_is_the_voice_and_may_name_its_language():
    query = {"model": "aura-2-celeste-es", "speed": "1.2", "mip_opt_out": "false"}
    start = socket_opening(query, "anna", ("en", "es")).start
    assert (start.voice, start.language, start.speed) == ("aura-2-celeste-es", "es", 1.2)
    assert socket_opening({}, "anna", ("en", "es")).start.voice == "anna"
