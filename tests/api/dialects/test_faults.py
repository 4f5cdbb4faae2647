"""Speech that is not whole never looks whole: wrong frames, text that comes late, and cancels from
another connection."""

import asyncio
import json
from contextlib import suppress

import httpx
import pytest
import websockets
from websockets.exceptions import ConnectionClosedError

from app.api.dialects.cartesia import Cartesia
from app.api.dialects.cartesia_fields import opening_of
from app.api.dialects.deepgram import Deepgram
from app.api.dialects.deepgram_fields import socket_opening
from app.api.dialects.dialect import ServerMessage
from app.api.dialects.elevenlabs import ElevenLabs
from app.api.dialects.elevenlabs_fields import SocketQuery
from app.api.dialects.jambonz import Jambonz
from app.api.dialects.markup import TagReplacer
from app.errors import SynthesisFailed
from tests.support.api_clients import in_process, serving
from tests.support.dialect_socket import DialectSocket
from tests.support.fakes import FakeSynthesizer
from tests.support.live_synthesizer import LiveSynthesizer

MULTI = "/v1/text-to-speech/anna/multi-stream-input?output_format=pcm_24000&auto_mode=true"
SINGLE = "/v1/text-to-speech/anna/stream-input?output_format=pcm_24000&auto_mode=true"
SOCKET = {"X-Request-ID": "sock"}
LONG = "Because the two rooms that you asked about " * 6 + "are taken."


def generation(text, *, goes_on=True, **changes):
    fields = {"transcript": text, "continue": goes_on, "context_id": "c", "voice": "anna"}
    return {**fields, "max_buffer_delay_ms": 0, **changes}


def cartesia():
    return DialectSocket(Cartesia(()))


def elevenlabs(*, is_multi=True):
    return DialectSocket(ElevenLabs(SocketQuery("anna"), (), is_multi=is_multi))


@pytest.mark.parametrize("late", [{"transcript": 5}, {"transcript": "x", "flush": "yes"}])
def test_a_wrong_frame_ends_a_context_of_cartesia(late):
    wire = cartesia()
    wire.receives(generation("One. "))
    wire.receives({"context_id": "c", "continue": True, **late})
    wire.receives(generation("Three. "))
    wire.receives(generation("", goes_on=False))
    wire.speaks("c0")
    assert [message["type"] for message in wire.taken()] == ["error", "done"]
    assert (wire.open, wire.texts) == ([], {"c0": "One. "})


@pytest.mark.parametrize("late", [{"text": 5}, {"text": "x", "flush": "yes"}])
def test_a_wrong_frame_ends_a_context_of_elevenlabs(late):
    wire = elevenlabs()
    wire.receives({"text": "One. ", "context_id": "c"})
    wire.receives({"context_id": "c", **late})
    wire.receives({"text": "Three. ", "context_id": "c"})
    wire.receives({"context_id": "c", "close_context": True})
    wire.speaks("c0")
    (error,) = wire.taken()
    assert (error["code"], wire.open) == (400, [])


@pytest.mark.parametrize("lost", [{"type": "Speak", "text": 7}, {"type": "Speak"}, "{broken"])
def test_a_turn_of_deepgram_with_a_hole_has_no_flushed(lost):
    wire = DialectSocket(Deepgram(socket_opening({}, "anna", ())))
    wire.receives({"type": "Speak", "text": "First words. "})
    wire.receives(lost)
    wire.receives({"type": "Speak", "text": "last words."})
    wire.receives({"type": "Flush"})
    assert [message["type"] for message in wire.taken()] == ["Error"]
    assert (wire.open, wire.texts) == ([], {"c0": "First words. "})


@pytest.mark.parametrize("lost", [{"type": "stream", "text": 7}, {"type": "stream"}, "{broken"])
def test_a_text_that_jambonz_lost_is_not_spoken_round(lost):
    wire = DialectSocket(Jambonz(socket_opening({}, "anna", ())))
    wire.receives({"type": "stream", "text": "First words. "})
    wire.receives(lost)
    wire.receives({"type": "stream", "text": "last words."})
    assert (wire.open, wire.texts) == ([], {"c0": "First words. "})
    wire.receives({"type": "keepalive"})
    assert wire.num_kept_alive == 1


def test_the_end_of_a_text_that_failed_is_answered_where_it_has_words():
    wire = cartesia()
    wire.receives(generation("One. "))
    wire.says("error", "c0", error=SynthesisFailed("lost"))
    wire.taken()
    wire.receives(generation("A new speech.", goes_on=False))
    error, done = wire.taken()
    assert (error["error_code"], done["type"]) == ("context_failed", "done")
    wire.receives(generation("Again.", goes_on=False))  # the id is free
    assert wire.texts["c1"] == "Again. "


def test_what_is_late_for_a_cancelled_context_is_neither_spoken_nor_answered():
    wire = cartesia()
    wire.receives(generation("One. "))
    wire.receives({"context_id": "c", "cancel": True})
    (done,) = wire.taken()
    wire.receives(generation("late text. "))
    wire.receives(generation("", goes_on=False))
    assert (done["type"], wire.taken(), wire.open) == ("done", [], [])
    wire = elevenlabs()
    wire.receives({"text": "One. ", "context_id": "c"})
    for _ in range(2):
        wire.receives({"context_id": "c", "close_context": True})
    wire.receives({"text": "late text. ", "context_id": "c"})
    assert (wire.taken(), wire.open) == ([], [])


def test_a_flush_without_text_makes_no_sound():
    dialect = Deepgram(socket_opening({}, "anna", ()))
    for kind in ("Speak", "Flush", "Flush", "Flush"):
        list(dialect.read(json.dumps({"type": kind, "text": "..."})))
    told = [dialect.write(ServerMessage("flushed", "c0", 0)) for _ in range(3)]
    assert [[type(frame) for frame in frames] for frames in told] == [[bytes, str], [str], [str]]


def test_what_is_no_tag_is_not_held_back():
    tags = TagReplacer({"spell": "", "/spell": ""})
    assert tags.push("<laughs and smiles. Is ") == "<laughs and smiles. Is "
    assert tags.push("a <sp") == "a "
    assert tags.push("ell>b") == "b"
    assert tags.push("a <break ti") == "a "


@pytest.mark.parametrize(("offset", "speed"), [(0, 1.0), (-1, 0.7), (0.5, 1.15), ("slow", 0.85)])
def test_a_number_in_cartesias_older_controls_is_an_offset(offset, speed):
    voice = {"mode": "id", "id": "anna", "__experimental_controls": {"speed": offset}}
    opening = opening_of({"voice": voice}, "c", ())
    assert (opening.start.speed or 1.0) == pytest.approx(speed)


@pytest.mark.parametrize("field", ["speed", "volume"])
async def test_a_number_beyond_all_bounds_is_refused_and_the_socket_stays(field):
    with serving(FakeSynthesizer()) as url:
        async with websockets.connect(url.replace("http", "ws") + "/tts/websocket") as socket:
            await socket.send(json.dumps(generation("Hi.", generation_config={field: 10**400})))
            assert json.loads(await socket.recv())["type"] == "error"
            await socket.send(json.dumps(generation("Hi.", goes_on=False, context_id="d")))
            while (message := json.loads(await socket.recv()))["type"] != "done":
                pass
            assert message["context_id"] in ("c", "d")


@pytest.mark.parametrize("path", ["/tts/websocket", MULTI])
async def test_a_long_sentence_is_not_torn_where_nothing_waits_for_more(path):
    fake = FakeSynthesizer()
    with serving(fake) as url:
        async with websockets.connect(url.replace("http", "ws") + path) as socket:
            text = {"text": LONG} if path == MULTI else generation(LONG)
            await socket.send(json.dumps({"context_id": "c", **text}))
            await socket.recv()
    (request,) = fake.requests
    assert " ".join(request.segments) == LONG


FIRST = {
    "/tts/websocket": generation("Hello there."),
    MULTI: {"text": "Hello there.", "context_id": "c"},
    SINGLE: {"text": "Hello there."},
    "/v1/speak": {"type": "Speak", "text": "Hello there. And more."},
}


@pytest.mark.parametrize("cancelled", ["sock-0", "sock"])
@pytest.mark.parametrize("path", FIRST)
async def test_a_cancel_from_another_connection_is_an_error_and_nothing_is_spoken_after_it(
    path, cancelled
):
    synthesizer = LiveSynthesizer(500, 0.02)
    with serving(synthesizer) as url:
        async with websockets.connect(
            url.replace("http", "ws") + path, additional_headers=SOCKET
        ) as socket:
            await socket.send(json.dumps(FIRST[path]))
            if path == "/v1/speak":
                await socket.recv()  # Metadata
            await socket.recv()
            async with httpx.AsyncClient(base_url=url) as other:
                await other.post(f"/cancel/{cancelled}")
            heard = []
            if cancelled == "sock-0" and path not in (SINGLE, "/v1/speak"):
                await socket.send(json.dumps(FIRST[path]))  # the rest of the text
            with suppress(TimeoutError, ConnectionClosedError):
                async with asyncio.timeout(0.5):
                    async for frame in socket:
                        heard.append(frame)
            texts = [json.loads(frame) for frame in heard if isinstance(frame, str)]
            errors = [m for m in texts if "error" in m or m.get("type") in ("error", "Error")]
            code = socket.close_code
    assert len(errors) == 1
    assert not [m for m in texts[texts.index(errors[0]) :] if m.get("audio") or m.get("data")]
    assert not any(m.get("isFinal") for m in texts)
    if cancelled == "sock" or path == SINGLE:
        assert code == 1011


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/tts/bytes", generation("Hello there.")),
        ("/tts/sse", generation("Hello there.")),
        ("/v1/text-to-speech/anna/stream", {"text": "Hello there."}),
        ("/v1/text-to-speech/anna/stream/with-timestamps", {"text": "Hello there."}),
        ("/v1/speak", {"text": "Hello there."}),
        ("/vapi/speak", {"message": {"text": "Hello there."}}),
    ],
)
async def test_an_answer_over_http_that_was_cancelled_elsewhere_breaks_off(path, body):
    with serving(LiveSynthesizer(500, 0.02)) as url:
        async with (
            httpx.AsyncClient(base_url=url) as client,
            client.stream("POST", path, json=body, headers={"X-Request-ID": "r"}) as response,
        ):
            assert response.status_code == 200
            parts = response.aiter_raw()
            await anext(parts)
            async with httpx.AsyncClient(base_url=url) as other:
                await other.post("/cancel/r")
            with pytest.raises(httpx.RemoteProtocolError):
                async for _ in parts:
                    pass


async def test_a_whole_file_that_was_cancelled_elsewhere_is_refused():
    async with in_process(LiveSynthesizer(500, 0.02)) as client:
        body, headers = {"text": "Hello there."}, {"X-Request-ID": "r"}
        asking = client.post("/v1/text-to-speech/anna", json=body, headers=headers)
        speaking = asyncio.ensure_future(asking)
        await asyncio.sleep(0.1)
        await client.post("/cancel/r")
        answer = await speaking
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "cancelled")
    assert answer.json()["detail"]["status"] == "cancelled"


async def test_a_browsers_subprotocol_is_taken_by_every_socket():
    with serving(FakeSynthesizer()) as url:
        for path in FIRST:
            address = url.replace("http", "ws") + path
            async with websockets.connect(address, subprotocols=["chatterbox"]) as socket:
                assert socket.subprotocol == "chatterbox"
