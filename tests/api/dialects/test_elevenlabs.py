"""ElevenLabs' frames and the contexts of our own socket, without a server."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.api.dialects.elevenlabs import ElevenLabs
from app.api.dialects.elevenlabs_fields import SocketQuery, format_of
from app.errors import BadRequest, SynthesisFailed
from tests.support.decoding import decode
from tests.support.dialect_socket import DialectSocket

PIPECAT = {"model_id": "eleven_flash_v2_5", "output_format": "pcm_24000", "auto_mode": "true"}
LIVEKIT = {
    "model_id": "eleven_turbo_v2_5",
    "output_format": "mp3_22050_32",
    "enable_ssml_parsing": "false",
    "enable_logging": "true",
    "inactivity_timeout": "180",
    "apply_text_normalization": "auto",
    "sync_alignment": "true",
    "auto_mode": "true",
}


def socket(query=PIPECAT, *, languages=(), is_multi=True):
    return DialectSocket(ElevenLabs(SocketQuery.of("anna", query), languages, is_multi=is_multi))


def opened(query=PIPECAT):
    wire = socket(query)
    wire.receives({"text": " ", "context_id": "c"})
    return wire


CLOSE = {"context_id": "c", "close_context": True}


def test_a_context_as_pipecat_speaks_it():
    wire = opened()
    wire.receives({"text": "One.", "context_id": "c"})
    wire.receives({"text": "Two.", "context_id": "c"})
    wire.receives({"context_id": "c", "flush": True})
    wire.receives(CLOSE)
    assert wire.texts == {"c0": "One. Two. "}
    assert wire.closing == {"c0"}
    wire.speaks("c0")
    wire.ends("c0")
    sound, final = wire.taken()
    assert base64.b64decode(sound["audio"]) == b"\1\0" * 8
    assert (sound["contextId"], sound["isFinal"], sound["alignment"]) == ("c", None, None)
    assert final == {"isFinal": True, "contextId": "c"}


def test_pieces_are_joined_as_they_come_without_whole_sentences():
    wire = socket({"output_format": "pcm_24000"})
    for piece in (" ", "Hel", "lo", " ", "there. "):
        wire.receives({"text": piece, "context_id": "c"})
    assert wire.texts == {"c0": "Hello there. "}


def test_a_space_behind_the_end_is_no_text():
    wire = opened()
    wire.receives(CLOSE)
    wire.receives({"text": " ", "context_id": "c"})
    assert (wire.taken(), wire.open) == ([], ["c0"])


def test_a_context_as_livekit_speaks_it():
    wire = socket(LIVEKIT)
    wire.receives({"text": " ", "voice_settings": {"speed": 1.1}, "context_id": "c"})
    wire.receives({"text": "One. ", "context_id": "c", "flush": True})
    wire.receives({"text": "", "context_id": "c", "flush": True})
    wire.receives(CLOSE)
    assert wire.texts == {"c0": "One. "}
    start = wire.openings["c0"].start
    assert (start.voice, start.model, start.speed) == ("anna", LIVEKIT["model_id"], 1.1)
    assert (start.response_format, start.sample_rate) == ("mp3", 22_050)


def test_the_second_close_is_a_cancel_and_nothing_follows():
    wire = opened()
    wire.receives({"text": "One.", "context_id": "c"})
    wire.receives(CLOSE)
    wire.speaks("c0")
    wire.taken()
    wire.receives(CLOSE)
    assert wire.open == []
    wire.speaks("c0")
    wire.ends("c0")
    wire.receives(CLOSE)
    assert wire.taken() == []


def test_a_close_of_a_context_that_has_ended_is_not_answered():
    wire = opened()
    wire.receives(CLOSE)
    wire.ends("c0")
    wire.taken()
    wire.receives(CLOSE)
    wire.receives({"context_id": "c", "flush": True})
    assert wire.taken() == []
    assert len(wire.openings) == 1


@pytest.mark.parametrize("frame", [{"text": ""}, {"text": "", "context_id": "other"}, {}])
def test_a_keep_alive_opens_nothing_and_is_not_answered(frame):
    wire = opened()
    wire.receives(frame)
    assert (len(wire.openings), wire.taken(), wire.num_kept_alive) == (1, [], 2)


def test_leaving_ends_every_context():
    wire = opened()
    wire.receives({"close_socket": True})
    assert wire.is_closing
    assert wire.closing == {"c0"}


def test_the_socket_of_one_context_ends_with_an_empty_text():
    wire = socket({}, is_multi=False)
    init = {"text": " ", "try_trigger_generation": True, "voice_settings": None}
    wire.receives({**init, "generation_config": {"chunk_length_schedule": [50]}})
    wire.receives({"text": "Hello there. ", "try_trigger_generation": True})
    wire.receives({"text": ""})
    assert wire.is_closing
    assert wire.texts == {"c0": "Hello there. "}
    wire.speaks("c0")
    wire.ends("c0")
    assert all("contextId" not in message for message in wire.taken())


def test_words_of_livekit_count_from_the_contexts_start():
    wire = opened(LIVEKIT)
    wire.receives({"text": "Hi you. ", "context_id": "c"})
    wire.words("c0", ("Hi", 100, 300, 0, 2))
    wire.speaks("c0")
    wire.words("c0", ("you.", 400, 800, 3, 7))
    wire.speaks("c0")
    first, second = wire.taken()
    assert first["normalizedAlignment"] == {
        "chars": ["H", "i"],
        "charStartTimesMs": [100, 200],
        "charDurationsMs": [100, 100],
    }
    assert second["normalizedAlignment"] == second["alignment"]
    assert second["alignment"]["charStartTimesMs"] == [300, 400, 500, 600, 700]


def test_words_of_pipecat_count_from_each_message():
    wire = opened()
    wire.receives({"text": "Hi you.", "context_id": "c"})
    wire.words("c0", ("Hi", 100, 300, 0, 2))
    wire.speaks("c0")
    wire.words("c0", ("you.", 400, 800, 3, 7))
    wire.speaks("c0")
    _, second = wire.taken()
    assert second["alignment"]["charStartTimesMs"] == [0, 100, 200, 300, 400]
    wire.receives(CLOSE)
    wire.ends("c0")
    rest, _ = wire.taken()
    assert (rest["audio"], rest["alignment"]["chars"]) == ("", [" "])


def test_a_failed_context_says_one_error_and_its_later_text_is_thrown_away():
    wire = opened()
    wire.receives({"text": "One.", "context_id": "c"})
    wire.says("error", "c0", error=SynthesisFailed("broken"))
    wire.receives({"text": "Two.", "context_id": "c"})
    wire.receives(CLOSE)
    (error,) = wire.taken()
    assert (error["error"], error["code"], error["contextId"]) == ("synthesis_failed", 500, "c")
    wire.receives({"text": "Again.", "context_id": "c"})
    assert wire.texts["c1"] == "Again. "


def test_a_text_behind_the_end_is_dropped_and_the_context_is_spoken_to_its_end():
    wire = opened()
    wire.receives({"text": "One.", "context_id": "c"})
    wire.receives(CLOSE)
    wire.receives({"text": "More.", "context_id": "c"})
    assert (wire.taken(), wire.open, wire.texts) == ([], ["c0"], {"c0": "One. "})


def test_a_context_that_was_cancelled_elsewhere_is_not_final():
    wire = opened()
    wire.receives(CLOSE)
    wire.speaks("c0")
    wire.ends("c0", "cancelled")
    _, error = wire.taken()
    assert (error["error"], "isFinal" in error) == ("cancelled", False)


def test_a_context_without_sound_ends_with_a_short_silence():
    wire = opened()
    wire.receives(CLOSE)
    wire.ends("c0")
    sound, final = wire.taken()
    assert base64.b64decode(sound["audio"]) == bytes(480 * 2 * 10)
    assert final["isFinal"] is True


def test_the_short_silence_has_the_format_of_the_context():
    wire = opened(LIVEKIT)
    wire.receives(CLOSE)
    wire.ends("c0")
    sound, _ = wire.taken()
    heard = decode("mp3", base64.b64decode(sound["audio"]), 22_050)
    assert 0.2 <= len(heard) / 22_050 < 0.4


@pytest.mark.parametrize(
    ("name", "format_name", "rate", "silence"),
    [
        ("pcm_16000", "pcm", 16_000, 640),
        ("ulaw_8000", "mulaw", 8000, 160),
        ("alaw_8000", "alaw", 8000, 160),
        ("mp3_44100_128", "mp3", 44_100, 0),
        ("opus_48000_64", "opus", 48_000, 0),
        ("wav_24000", "wav", 24_000, 0),
    ],
)
def test_the_names_of_formats_are_read(name, format_name, rate, silence):
    made = format_of(name)
    assert (made.name, made.sample_rate, len(made.silence)) == (format_name, rate, silence)


@pytest.mark.parametrize("name", ["", "pcm", "pcm_24k", "flac_44100", "mp3_44100_128_2"])
def test_another_format_is_refused(name):
    with pytest.raises(BadRequest):
        format_of(name)


@pytest.mark.parametrize("frame", ["", "{", "[]", '{"text": 7, "context_id": "c"}'])
def test_a_wrong_frame_is_told(frame):
    wire = socket()
    wire.receives(frame)
    (error,) = wire.taken()
    assert error["error"] in ("invalid_json", "invalid_value")


def test_a_text_without_a_context_is_told():
    wire = socket()
    wire.receives({"text": "Hello."})
    (error,) = wire.taken()
    assert "contextId" not in error


IDS = st.sampled_from(["a", "b"])
TEXTS = st.sampled_from(["Hello ", "there.", "", " "])
FRAMES = st.builds(
    lambda text, context_id, flush, closes: {
        "text": text,
        "context_id": context_id,
        **({"flush": True} if flush else {}),
        **({"close_context": True} if closes else {}),
    },
    *(TEXTS, IDS, st.booleans(), st.booleans()),
)
SAYINGS = st.tuples(st.sampled_from(["audio", "words", "done", "error"]), st.integers(0, 3))


@given(st.lists(st.one_of(FRAMES, SAYINGS), max_size=30), st.booleans())
@settings(max_examples=60, deadline=None)
def test_any_order_of_messages_keeps_the_rules(events, is_synced):
    """DialectSocket refuses a step that the real socket would refuse."""
    wire = socket(LIVEKIT if is_synced else PIPECAT)
    ended = set()
    for event in events:
        before = dict(wire.openings)
        if isinstance(event, dict):
            was_open = set(wire.open)
            wire.receives(event)
            is_stopped = bool(was_open - set(wire.open))
            told = wire.taken()
            assert all("error" in message for message in told)
            if event["context_id"] in ended and len(wire.openings) > len(before):
                ended.discard(event["context_id"])
            if is_stopped:
                ended.add(event["context_id"])
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
                vendor_id = message["contextId"]
                assert vendor_id not in ended, "nothing follows the end of a context"
                if message.get("isFinal") or "error" in message:
                    ended.add(vendor_id)
