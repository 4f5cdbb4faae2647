"""Silence within a stream: what a decoder hears of it, and when the words behind it sound."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.encoding import FILLER_S, SpeechEncoder
from app.api.fillers import Fillers
from app.api.speech_job import SpeechOptions
from app.audio.formats import FORMATS
from app.auth.api_keys import ANYBODY_HERE
from app.core import SAMPLE_RATE, SamplingParams, VoiceRef
from app.spoken_words import SpokenWord
from app.text.plan import TextRules
from tests.support.decoding import DELAY, decode
from tests.support.fakes import tone

TIMES = st.integers(0, 5000)


def options(name, speed=1.0):
    rate = FORMATS[name].default_rate
    sampling, voice = SamplingParams(), VoiceRef("anna")
    return SpeechOptions(ANYBODY_HERE, voice, TextRules(), sampling, name, rate, speed)


def word(start_ms, end_ms):
    return SpokenWord("word", 0, 4, start_ms, end_ms)


@given(st.lists(st.tuples(TIMES, st.integers(1, 400)), max_size=5), TIMES, TIMES)
def test_a_word_is_heard_later_by_the_fillers_before_it(fillers, start_ms, length_ms):
    put = Fillers()
    for at_ms, ms in sorted(fillers):
        put.add(at_ms, ms)
    (heard,) = put.heard([word(start_ms, start_ms + length_ms)])
    assert heard.start_ms == start_ms + sum(ms for at, ms in fillers if at <= start_ms)
    later_ms = sum(ms for at, ms in fillers if at < start_ms + length_ms)
    assert heard.end_ms == max(heard.start_ms, start_ms + length_ms + later_ms)


def test_a_word_whose_end_is_not_known_keeps_it_open():
    put = Fillers()
    put.add(100, 20)
    assert put.heard([word(200, None)]) == [word(220, None)]


@pytest.mark.parametrize("speed", [1.0, 0.5, 2.0])
@pytest.mark.parametrize("name", FORMATS)
async def test_a_filler_makes_bytes_and_the_stream_longer_by_its_length(name, speed):
    encoder = SpeechEncoder(options(name, speed))
    samples, rate = await heard(encoder, name)
    assert encoder.fillers.total_s >= FILLER_S * 0.9
    assert encoder.audio_s == pytest.approx(2 / speed, abs=0.001)
    least_s = DELAY.get(name, 0) / rate + 2 / speed + encoder.fillers.total_s
    assert len(samples) / rate >= least_s - 0.001


@pytest.mark.parametrize("name", FORMATS)
async def test_a_filler_is_silent_behind_what_was_fed_before_it(name):
    encoder = SpeechEncoder(options(name))
    samples, rate = await heard(encoder, name)
    middle_s = DELAY.get(name, 0) / rate + 1.0 + encoder.fillers.total_s / 2
    start, end = round((middle_s - 0.002) * rate), round((middle_s + 0.002) * rate)
    assert rms(samples[start:end]) < 0.3 * rms(samples)


async def heard(encoder, name):
    """A second of a tone, a filler and a second of the tone: the samples, and their rate."""
    first = await encoder.feed(tone(SAMPLE_RATE))
    filler = await encoder.fill()
    assert filler
    body = first + filler + await encoder.feed(tone(SAMPLE_RATE)) + await encoder.finish()
    rate = FORMATS[name].default_rate
    return decode(name, body, rate), rate


async def test_fillers_come_before_the_first_sound_too():
    for name in FORMATS:
        encoder = SpeechEncoder(options(name))
        assert await encoder.fill()
        assert encoder.audio_s == pytest.approx(0.0, abs=0.001)


def rms(samples):
    return float(np.sqrt(np.mean(np.square(samples))))
