"""Cartesia's frames and the contexts of our own socket, without a server."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.api.dialects.cartesia import Cartesia
from app.errors import SynthesisFailed
from tests.support.dialect_socket import DialectSocket

VOICE = {"mode": "id", "id": "anna"}


class Clock:
    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        self.now_s += 0.25
        return self.now_s


def socket(languages=(), *, is_sdk=True):
    return DialectSocket(Cartesia(languages, Clock(), is_sdk=is_sdk))


def generation(text, *, goes_on=True, context_id="c", **changes):
    fields = {"transcript": text, "continue": goes_on, "context_id": context_id, "voice": VOICE}
    return fields | changes


def types(messages):
    return [message["type"] for message in messages]


def test_one_context_from_its_first_text_to_done():
    wire = socket()
    wire.receives(generation("Hel"))
    wire.receives(generation("lo.", goes_on=False))
    assert wire.texts == {"c0": "Hello."}
    assert wire.closing == {"c0"}
    wire.speaks("c0")
    wire.ends("c0")
    chunk, done = wire.taken()
    assert base64.b64decode(chunk["data"]) == b"\1\0" * 8
    assert (chunk["done"], chunk["status_code"], chunk["step_time"]) == (False, 206, 250.0)
    assert done == {"type": "done", "done": True, "status_code": 200, "context_id": "c"}


def test_whole_sentences_are_kept_apart():
    wire = socket()
    wire.receives(generation("One.", max_buffer_delay_ms=0))
    wire.receives(generation("Two. ", max_buffer_delay_ms=0))
    assert wire.texts == {"c0": "One. Two. "}
    assert wire.openings["c0"].start.max_buffer_ms == 0


@pytest.mark.parametrize(("given", "buffer_ms"), [(None, 1000), (0, 0), (9999, 2500), (700, 700)])
def test_text_waits_a_second_unless_the_client_says_otherwise(given, buffer_ms):
    wire = socket()
    wire.receives(generation("One", max_buffer_delay_ms=given))
    assert wire.openings["c0"].start.max_buffer_ms == buffer_ms


@pytest.mark.parametrize(("given", "asked"), [(True, "word"), (False, None), (None, None)])
def test_words_are_asked_for_where_the_client_does(given, asked):
    wire = socket()
    wire.receives(generation("Hello there.", add_timestamps=given))
    assert wire.openings["c0"].start.timestamps == asked
    assert wire.openings["c0"].words_once


def test_words_are_told_in_seconds():
    wire = socket()
    wire.receives(generation("Hello there.", add_timestamps=True))
    wire.words("c0", ("Hello", 0, 310.5, 0, 5), ("there.", 400, 900, 6, 12))
    (told,) = wire.taken()
    assert told["word_timestamps"] == {
        "words": ["Hello", "there."],
        "start": [0, 0.4],
        "end": [0.3105, 0.9],
    }
    assert (told["type"], told["context_id"]) == ("timestamps", "c")


def test_tags_are_stripped_or_acted_on_wherever_they_are_cut():
    wire = socket()
    for piece in (
        "<emo",
        'tion value="sad" /> Hi <bre',
        'ak time="1s"/>',
        "<spell>A1</sp",
        "ell>!",
    ):
        wire.receives(generation(piece))
    wire.receives(generation(" a < b <", goes_on=False))
    assert wire.texts["c0"] == (
        ' Hi <break time="1s"/><say-as interpret-as="characters">A1</say-as>! a < b <'
    )


def test_a_tag_between_two_words_parts_them():
    wire = socket()
    wire.receives(generation('one<speed ratio="1.5"/>two', goes_on=False))
    assert wire.texts["c0"] == "one two"


@pytest.mark.parametrize(
    ("fields", "speed"),
    [
        ({"generation_config": {"speed": 1.4}}, 1.4),
        ({"speed": "fast"}, 1.15),
        ({"voice": {**VOICE, "__experimental_controls": {"speed": "slow"}}}, 0.85),
        ({"generation_config": {"speed": 99}}, 4.0),
        ({}, None),
    ],
)
def test_a_speed_is_a_number_or_a_word(fields, speed):
    wire = socket()
    wire.receives(generation("One", **fields))
    assert wire.openings["c0"].start.speed == speed


@pytest.mark.parametrize("voice", ["anna", {"id": "anna"}, {"mode": "id", "id": "anna"}])
def test_a_voice_is_a_text_or_an_object(voice):
    wire = socket()
    wire.receives(generation("One", voice=voice))
    assert wire.openings["c0"].start.voice == "anna"


@pytest.mark.parametrize(
    ("languages", "given", "language"),
    [
        ((), "en", None),
        ((), "en-US", None),
        ((), None, None),
        (("de", "en"), "de", "de"),
        (("de", "en"), "de_AT", "de"),
        (("de", "en"), "fr", "fr"),  # refused with the model's languages when the context opens
    ],
)
def test_a_language_is_one_of_the_models(languages, given, language):
    wire = socket(languages)
    wire.receives(generation("One", language=given))
    assert wire.openings["c0"].start.language == language


def test_another_language_than_english_is_refused_by_a_model_that_speaks_it_alone():
    wire = socket()
    wire.receives(generation("Eins", language="de"))
    (error,) = wire.taken()
    assert (error["type"], error["context_id"], error["done"]) == ("error", "c", False)
    assert wire.openings == {}


@pytest.mark.parametrize("model", ["sonic-3.6", "english", None])
def test_the_model_is_looked_up_by_its_name(model):
    wire = socket()
    wire.receives(generation("One", model_id=model))
    assert wire.openings["c0"].start.model == model


def test_a_cancel_is_answered_with_done_alone():
    wire = socket()
    wire.receives(generation("Hello."))
    wire.speaks("c0")
    wire.taken()
    wire.receives({"context_id": "c", "cancel": True})
    assert types(wire.taken()) == ["done"]
    wire.speaks("c0")
    wire.ends("c0")
    wire.receives({"context_id": "c", "cancel": True})
    assert wire.taken() == []


def test_the_end_of_a_context_without_text_is_done_and_opens_nothing():
    wire = socket()
    wire.receives(generation("", goes_on=False))
    assert types(wire.taken()) == ["done"]
    assert wire.openings == {}


def test_a_second_end_is_not_answered():
    wire = socket()
    wire.receives(generation("Hello.", goes_on=False))
    wire.receives(generation("", goes_on=False))
    assert wire.taken() == []


def test_text_behind_the_end_is_an_error_and_stops_the_context():
    wire = socket()
    wire.receives(generation("Hello.", goes_on=False))
    wire.receives(generation("More."))
    assert types(wire.taken()) == ["error"]
    assert wire.open == []


def test_an_end_without_a_voice_is_taken():
    wire = socket()
    wire.receives(generation("Hello."))
    wire.receives({"context_id": "c", "transcript": "", "continue": False, "voice": "6ccb"})
    assert wire.closing == {"c0"}


def test_a_failed_context_says_one_error_and_its_later_text_is_thrown_away():
    wire = socket()
    wire.receives(generation("Hello."))
    wire.says("error", "c0", error=SynthesisFailed("broken"))
    wire.receives(generation("More."))
    wire.receives(generation("", goes_on=False))
    (error,) = wire.taken()
    assert (error["status_code"], error["error_code"]) == (500, "synthesis_failed")
    wire.receives(generation("Again.", goes_on=False))
    assert wire.texts == {"c0": "Hello.", "c1": "Again."}


def test_the_context_is_freed_behind_its_error_but_for_the_vendors_own_sdk():
    for is_sdk, told in ((False, ["error", "done"]), (True, ["error"])):
        wire = socket(is_sdk=is_sdk)
        wire.receives(generation("Hello."))
        wire.says("error", "c0", error=SynthesisFailed("broken"))
        assert types(wire.taken()) == told
        wire.receives(generation("Hello.", context_id="d", goes_on=False))
        wire.ends("c1", "cancelled")
        assert types(wire.taken()) == told


def test_an_id_that_failed_with_its_last_text_is_free():
    wire = socket()
    wire.receives(generation("Hello.", goes_on=False))
    wire.says("error", "c0", error=SynthesisFailed("broken"))
    wire.receives(generation("Again.", goes_on=False))
    assert wire.texts["c1"] == "Again."


def test_a_context_that_was_cancelled_elsewhere_is_no_success():
    wire = socket()
    wire.receives(generation("Hello.", goes_on=False))
    wire.speaks("c0")
    wire.ends("c0", "cancelled")
    _, error = wire.taken()
    assert (error["type"], error["done"], error["error_code"]) == ("error", False, "cancelled")


def test_a_context_without_sound_ends_with_a_short_silence():
    wire = socket()
    wire.receives(generation("...", goes_on=False))
    wire.ends("c0")
    chunk, done = wire.taken()
    assert base64.b64decode(chunk["data"]) == bytes(480 * 2 * 10)
    assert done["type"] == "done"


@pytest.mark.parametrize(
    "frame", ["", "{", "[]", '{"context_id": 7}', '{"context_id": "%s"}' % ("x" * 300)]
)
def test_a_wrong_frame_is_told_with_a_context_id(frame):
    wire = socket()
    wire.receives(frame)
    (error,) = wire.taken()
    assert error["type"] == "error"
    assert isinstance(error["context_id"], str)


IDS = st.sampled_from(["a", "b"])
TEXTS = st.sampled_from(["Hello ", "there. ", "", " ", '<speed ratio="2"/>', "<spell>x</spell>"])
GENERATIONS = st.builds(
    lambda text, goes_on, context_id, flush: generation(
        text, goes_on=goes_on, context_id=context_id, flush=flush, add_timestamps=True
    ),
    *(TEXTS, st.booleans(), IDS, st.booleans()),
)
CANCELS = st.builds(lambda context_id: {"context_id": context_id, "cancel": True}, IDS)
SAYINGS = st.sampled_from(["audio", "words", "done", "error"])
EVENTS = st.one_of(GENERATIONS, CANCELS, st.tuples(SAYINGS, st.integers(0, 3)))


@given(st.lists(EVENTS, max_size=30))
@settings(max_examples=60, deadline=None)
def test_any_order_of_messages_keeps_the_rules(events):
    """DialectSocket refuses a step that the real socket would refuse."""
    wire = socket()
    ended = {}  # by the vendor's id: whether its newest context has ended
    for event in events:
        if isinstance(event, dict):
            wire.receives(event)
        elif wire.open:
            kind, number = event
            name = wire.open[number % len(wire.open)]
            match kind:
                case "audio":
                    wire.speaks(name)
                case "words":
                    wire.words(name, ("Hello", 0, 1, 0, 5))
                case "done":
                    wire.ends(name)
                case "error":
                    wire.says("error", name, error=SynthesisFailed("broken"))
        for message in wire.taken():
            vendor_id = message["context_id"]
            assert vendor_id in ("a", "b")
            assert message["done"] is (message["type"] == "done")
            if message["type"] in ("chunk", "timestamps", "flush_done"):
                assert not ended.get(vendor_id), "nothing follows the end of a context"
            ended[vendor_id] = message["type"] in ("done", "error")
        if isinstance(event, dict) and "transcript" in event:
            ended.setdefault(event["context_id"], False)
            if wire.open and event["transcript"].strip():
                ended[event["context_id"]] = False
