"""The words of the sessions as the dialects' clients get them: each once, in order, as it was sent,
with its times from the first sample of the context."""

import base64
import json
from itertools import accumulate

import pytest

from app.audio.formats import FORMATS
from app.core import SAMPLE_RATE
from tests.support.api_clients import in_process
from tests.support.live_synthesizer import LiveSynthesizer
from tests.support.timed_text import TEXT, TIMES, TOLD, synthesizer
from tests.support.vendor_sockets import vendor_client

ELEVENLABS = "/v1/text-to-speech/default"
WORDS = [(text, start_ms, end_ms) for text, _, _, start_ms, end_ms in TOLD]
SPEECH_MS = 600  # of each take
PCM = {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 24_000}


def generation(text=TEXT, *, goes_on=False, **changes):
    return {
        "transcript": text,
        "continue": goes_on,
        "context_id": "c",
        "model_id": "sonic-3",
        "voice": {"mode": "id", "id": "default"},
        "output_format": PCM,
        "add_timestamps": True,
        "max_buffer_delay_ms": 0,
        **changes,
    }


def words_of_cartesia(messages):
    """Also that no word comes later than its sound."""
    sound_ms, words = 0.0, []
    for message in messages:
        if message["type"] == "timestamps":
            told = message["word_timestamps"]
            assert all(start * 1e3 >= sound_ms for start in told["start"])
            times = [[round(each * 1e3, 1) for each in told[name]] for name in ("start", "end")]
            words += zip(told["words"], *times, strict=True)
        elif message["type"] == "chunk":
            sound_ms += len(base64.b64decode(message["data"])) / 2 / SAMPLE_RATE * 1e3
    return words


async def cartesia(*generations, fake=None):
    async with vendor_client(fake or synthesizer(), "/tts/websocket") as client:
        for each in generations:
            await client.send(**each)
        return await client.until(lambda m: m["type"] in ("done", "error"))


async def test_cartesias_words_are_told_with_their_sound():
    assert words_of_cartesia(await cartesia(generation())) == WORDS


async def test_cartesias_words_of_a_later_sentence_follow_those_before_it():
    heard = await cartesia(generation(goes_on=True), generation())
    later = [(text, start + SPEECH_MS, end + SPEECH_MS) for text, start, end in WORDS]
    assert words_of_cartesia(heard) == WORDS + later


async def test_cartesias_words_have_the_tags_that_were_sent():
    text = 'A <emotion value="sad"/>code <spell>B</spell>, and it <volume ratio="0.5"/>is long.'
    words = words_of_cartesia(await cartesia(generation(text), fake=synthesizer(words=())))
    told = [word for word, _, _ in words]
    assert told == ["A", "code", "B</spell>,", "and", "it", "is", "long."]


async def test_cartesias_words_are_told_on_request_alone():
    heard = await cartesia(generation(add_timestamps=False))
    assert {m["type"] for m in heard} == {"chunk", "done"}


async def test_words_that_the_model_does_not_mark_are_estimated_and_told_once():
    words = words_of_cartesia(await cartesia(generation(), fake=synthesizer(words=())))
    assert [text for text, _, _ in words] == TEXT.split()
    times = [time for _, *span in words for time in span]
    assert times == sorted(times)


async def test_cartesias_events_have_the_words():
    async with in_process(synthesizer()) as client:
        answer = await client.post("/tts/sse", json=generation())
        without = await client.post("/tts/sse", json=generation(add_timestamps=False))
    events = [json.loads(line[6:]) for line in answer.text.split("\n\n") if line]
    assert words_of_cartesia(events) == WORDS
    assert "timestamps" not in without.text


def aligned(messages):
    """The characters of ElevenLabs' alignments with their start and end in ms."""
    chars = []
    for message in messages:
        if (told := message.get("alignment")) is not None:
            assert told == message["normalizedAlignment"]
            lists = (told["chars"], told["charStartTimesMs"], told["charDurationsMs"])
            chars += [(c, start, start + length) for c, start, length in zip(*lists, strict=True)]
    return chars


def words_of(chars, text):
    """The words of TOLD in the characters, with the times of their first and last ones."""
    assert "".join(char for char, _, _ in chars) == text
    return [(word, chars[at][1], chars[end - 1][2]) for word, at, end, _, _ in TOLD]


async def elevenlabs(query, *texts):
    url = f"{ELEVENLABS}/multi-stream-input?output_format=pcm_24000&auto_mode=true{query}"
    async with vendor_client(synthesizer(), url) as client:
        for text in texts:
            await client.send(text=text, context_id="c")
        await client.send(context_id="c", close_context=True)
        return await client.until(lambda m: m.get("isFinal") is True or "error" in m)


async def test_elevenlabs_alignments_have_the_text_and_the_times_of_its_words():
    chars = aligned(await elevenlabs("&sync_alignment=true", " ", TEXT))
    assert words_of(chars, f"{TEXT} ") == WORDS


async def test_elevenlabs_alignments_of_a_later_sentence_follow_those_before_it():
    chars = aligned(await elevenlabs("&sync_alignment=true", TEXT, TEXT))
    at = len(TEXT) + 1
    assert words_of(chars[:at], f"{TEXT} ") == WORDS
    later = words_of([(c, a - SPEECH_MS, b - SPEECH_MS) for c, a, b in chars[at:]], f"{TEXT} ")
    assert later == WORDS


async def test_elevenlabs_spans_add_up_where_each_alignment_begins_at_zero():
    heard = [m for m in await elevenlabs("", TEXT) if m.get("alignment")]
    each = [aligned([message]) for message in heard]
    begins = accumulate((chars[-1][2] for chars in each), initial=0)
    chars = [
        (char, start + begin, end + begin)
        for chars, begin in zip(each, begins, strict=False)
        for char, start, end in chars
    ]
    assert len(heard) > 1
    assert words_of(chars, f"{TEXT} ") == WORDS


@pytest.mark.parametrize("name", ["pcm_24000", "mp3_44100_128"])
async def test_timed_lines_have_the_text_and_the_times_of_the_decoded_sound(name):
    url = f"{ELEVENLABS}/stream/with-timestamps?output_format={name}"
    async with in_process(synthesizer()) as client:
        answer = await client.post(url, json={"text": TEXT})
    chars = []
    for line in map(json.loads, answer.text.splitlines()):
        if (told := line["alignment"]) is not None:
            assert told == line["normalized_alignment"]
            starts = told["character_start_times_seconds"]
            ends = told["character_end_times_seconds"]
            chars += zip(told["characters"], starts, ends, strict=True)
    delay_ms = FORMATS["mp3"].delay_s(44_100) * 1e3 if name.startswith("mp3") else 0
    expected = [(word, start + delay_ms, end + delay_ms) for word, start, end in WORDS]
    heard = [(word, start * 1e3, end * 1e3) for word, start, end in words_of(chars, TEXT)]
    for (word, *times), (told_word, *told) in zip(expected, heard, strict=True):
        assert (told_word, told) == (word, pytest.approx(times, abs=1))


async def test_no_word_of_a_cancelled_context_is_told():
    async with vendor_client(LiveSynthesizer(200, 0.01, words=TIMES), "/tts/websocket") as client:
        await client.send(**generation())
        await client.until(lambda m: m["type"] == "timestamps")
        await client.send(context_id="c", cancel=True)
        await client.until(lambda m: m["type"] == "done")
        await client.silent_for(0.2)
