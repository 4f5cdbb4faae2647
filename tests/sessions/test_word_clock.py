"""Words lie on the clock of the sound that a decoder gives, in the caller's own spelling."""

import io
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from app.audio.formats import FORMATS, AudioStream
from app.core import SAMPLE_RATE, AudioChunk, FinishReason, SessionKey
from app.sessions.word_clock import SoundClock, WordClock
from app.spoken_words import Transcript
from app.word_marks import WordTime
from tests.support.decoding import decode

KEY = SessionKey("default", "words-1")
TEXT = "Pay $5 now. Or later, friend."
PLACES = (((0, 3), (4, 6), (4, 6), (7, 11)), ((12, 14), (15, 21), (22, 29)))  # "five dollars"
MS = SAMPLE_RATE // 1000  # samples


def chunk(segment, start_ms, end_ms, *words, finish=None):
    """Each word: its number, start and end in ms, and whether that is an estimate."""
    times = tuple(
        WordTime(segment, word, start * MS, None if end is None else end * MS, *rest)
        for word, start, end, *rest in words
    )
    pcm = np.zeros((end_ms - start_ms) * MS, np.float32)
    return AudioChunk(KEY, segment, start_ms * MS, pcm, finish=finish, words=times)


FIRST = chunk(0, 0, 1000, (0, 50, 300), (1, 300, 450), (2, 450, 700), (3, 700, 900))
LAST = chunk(1, 1000, 2000, (0, 1100, 1300), (1, 1300, 1600), (2, 1600, 1950))
END = chunk(1, 2000, 2000, finish=FinishReason.STOP)


def words_of(*chunks, text=TEXT, places=PLACES, **clock):
    placed = WordClock(text, places, SoundClock(**clock))
    for each in chunks:
        placed.add(each)
    sent = max((c.start + len(c.pcm) for c in chunks), default=0)
    return placed.transcript(sent, is_end=chunks[-1].finish is FinishReason.STOP)


def times(transcript):
    return [(word.text, word.start_ms, word.end_ms) for word in transcript.words]


def test_words_have_the_caller_s_spelling_and_place():
    transcript = words_of(FIRST, LAST, END)
    assert [word.text for word in transcript.words] == TEXT.split()
    assert all(TEXT[w.char_start : w.char_end] == w.text for w in transcript.words)
    assert transcript.audio_ms == 2000


def test_words_that_are_said_for_one_written_form_are_one():
    assert times(words_of(FIRST, LAST, END))[1] == ("$5", 300, 700)


def test_the_end_of_a_written_form_is_that_of_its_last_word():
    clock = WordClock(TEXT, PLACES, SoundClock())
    clock.add(chunk(0, 0, 400, (1, 300, 450)))
    assert [(word.text, word.end_ms) for word in clock.news()] == [("$5", None)]
    clock.add(chunk(0, 400, 600, (2, 450, 700)))
    assert [(word.text, word.end_ms) for word in clock.news()] == [("$5", 700)]


def test_pauses_move_what_follows_them():
    transcript = words_of(FIRST, LAST, END, pauses_s=(0.5, 1.0, 2.0))
    assert times(transcript)[0] == ("Pay", 550, 800)
    assert times(transcript)[3] == ("Or", 2600, 2800)
    assert transcript.audio_ms == 5500


def test_speed_moves_words_and_pauses():
    transcript = words_of(FIRST, LAST, END, pauses_s=(0.5, 1.0, 2.0), speed=2.0)
    assert times(transcript)[0] == ("Pay", 275, 400)
    assert transcript.audio_ms == 2750


def test_the_silence_of_the_encoder_moves_all():
    transcript = words_of(FIRST, LAST, END, speed=2.0, delay_s=0.046)
    assert times(transcript)[0] == ("Pay", 71, 196)
    assert transcript.audio_ms == 1046


def test_a_take_begins_after_the_takes_before_it():
    assert times(words_of(FIRST, LAST, END, begins_s=3.0))[0] == ("Pay", 3050, 3300)


def test_each_word_is_told_once():
    clock = WordClock(TEXT, PLACES, SoundClock())
    clock.add(FIRST)
    assert [word.text for word in clock.news()] == ["Pay", "$5", "now."]
    assert clock.news() == []
    clock.add(LAST)
    assert [word.text for word in clock.news()] == ["Or", "later,", "friend."]
    clock.add(END)
    assert clock.news() == []


def test_a_word_whose_time_changes_is_told_again():
    clock = WordClock(TEXT, PLACES, SoundClock())
    clock.add(chunk(0, 0, 100, (0, 50, 290, True)))
    assert [word.is_estimate for word in clock.news()] == [True]
    clock.add(chunk(0, 100, 200, (0, 50, 300)))
    assert [(word.text, word.end_ms, word.is_estimate) for word in clock.news()] == [
        ("Pay", 300, False)
    ]


def test_the_words_of_a_cancelled_session_are_those_that_were_sent():
    transcript = words_of(chunk(0, 0, 500, (0, 50, 300), (1, 300, 450), (2, 450, 700), (3, 700, 9)))
    assert [word.text for word in transcript.words] == ["Pay", "$5"]
    assert transcript.audio_ms == 500


def test_the_end_of_a_word_that_was_not_drawn_is_an_estimate():
    [word] = words_of(chunk(0, 0, 200, (0, 50, None))).words
    assert word.is_estimate
    assert word.end_ms == pytest.approx(50 + 1000 * 3 / 12)


def test_an_end_that_never_came_is_the_start_of_the_next_word():
    transcript = words_of(chunk(0, 0, 1000, (0, 50, None), (1, 300, None), (3, 700, 900)), LAST)
    assert times(transcript)[0] == ("Pay", 50, 300)
    assert not transcript.words[0].is_estimate
    assert times(transcript)[1][1:] == (300, 700)


def test_a_word_without_a_mark_lies_between_its_neighbours():
    transcript = words_of(FIRST, chunk(1, 1000, 2000, (0, 1100, 1300), (2, 1600, 1950)), END)
    assert times(transcript)[4] == ("later,", 1300, 1600)
    assert [word.is_estimate for word in transcript.words] == [False] * 4 + [True, False]


def test_without_marks_words_share_the_sound_by_their_lengths():
    transcript = words_of(chunk(0, 0, 1000), chunk(1, 1000, 2000), END)
    assert all(word.is_estimate for word in transcript.words)
    assert times(transcript)[0] == ("Pay", 0, pytest.approx(1000 * 4 / 15, abs=0.1))
    assert times(transcript)[-1][2] == 2000
    ends = [word.end_ms for word in transcript.words]
    assert [word.start_ms for word in transcript.words] == [0, *ends[:-1]]


def test_without_marks_words_are_told_with_the_first_sound_and_again_at_the_end():
    clock = WordClock(TEXT, PLACES, SoundClock())
    clock.add(chunk(0, 0, 100))
    first = clock.news()
    assert [word.text for word in first] == ["Pay", "$5", "now."]
    assert first[-1].end_ms == pytest.approx(15 / 12 * 1000, abs=0.1)  # 12 characters a second
    clock.add(chunk(0, 100, 1000))
    assert clock.news() == []
    clock.add(chunk(1, 1000, 1100))
    again = clock.news()
    assert [word.text for word in again] == ["Pay", "$5", "now.", "Or", "later,", "friend."]
    assert again[2].end_ms == 1000


def test_a_later_sentence_is_as_fast_as_the_one_before_it():
    clock = WordClock(TEXT, PLACES, SoundClock())
    for each in (chunk(0, 0, 600), chunk(1, 600, 700)):
        clock.add(each)
    assert clock.news()[-1].end_ms == pytest.approx(600 + 600 / 15 * 18, abs=0.1)


def test_a_mark_takes_the_place_of_every_estimate_of_its_sentence():
    clock = WordClock(TEXT, PLACES, SoundClock())
    clock.add(chunk(0, 0, 100))
    clock.add(chunk(0, 100, 200, (0, 150, None)))
    [told] = clock.until(200.0).words
    assert (told.text, told.start_ms) == ("Pay", 150)


def test_without_marks_a_sentence_that_was_cut_has_the_words_of_its_time():
    transcript = words_of(chunk(0, 0, 400))
    assert [word.text for word in transcript.words] == ["Pay", "$5"]
    assert transcript.is_estimate


SKIPPED = [
    ((0, 50, 300), (3, 300, 900)),  # between neighbours that touch
    ((0, 50, 300), (1, 300, 980)),  # at the end
    ((0, 0, 0), (1, 0, 0), (2, 0, 1000), (3, 1000, 1000)),
    ((0, 900, 1000), (1, 950, 1000), (2, 1200, 1300), (3, 1300, 1400)),  # behind the sound
    ((3, 0, 1000),),
    ((0, 0, 1000),),
]


@pytest.mark.parametrize("words", SKIPPED)
@pytest.mark.parametrize("length_ms", [1000, 70, 4])
def test_every_word_lasts_and_they_are_in_order(words, length_ms):
    last = chunk(1, length_ms, 2 * length_ms)
    transcript = words_of(chunk(0, 0, length_ms, *words), last, replace(END, start=len(last.pcm)))
    at_ms = 0.0
    for word in transcript.words:
        assert at_ms <= word.start_ms < word.end_ms
        at_ms = word.end_ms
    assert len(transcript.words) == 6
    assert at_ms <= 2 * length_ms


def test_a_file_that_is_cancelled_has_sent_nothing():
    clock = WordClock(TEXT, PLACES, SoundClock())
    clock.as_file()
    clock.add(FIRST)
    sent = len(FIRST.pcm)
    assert clock.transcript(sent, is_end=False) == Transcript(TEXT, (), 0.0)
    assert clock.transcript(sent, is_end=True).audio_ms == 1000


def test_a_session_without_sound_has_no_words():
    assert words_of(chunk(0, 0, 0, finish=FinishReason.CANCELLED)).words == ()


# In real decoders

BUMPS_S = (0.4, 1.1, 1.8)  # the middles of sounds of about 0.2 s
SPOKEN_S = 2.4
PAUSE_S = 0.3
CASES = [(name, audio_format.default_rate, 1.0) for name, audio_format in FORMATS.items()]
CASES += [("mp3", 8000, 1.0), ("aac", 48_000, 1.0), ("opus", 16_000, 1.0), ("pcm", 11_025, 1.0)]
CASES += [("pcm", SAMPLE_RATE, speed) for speed in (0.25, 0.5, 1.25, 4.0)]
CASES += [(name, SAMPLE_RATE, 1.5) for name in ("mp3", "aac", "opus")]


def bumps():
    at = np.arange(round(SPOKEN_S * SAMPLE_RATE)) / SAMPLE_RATE
    envelope = sum(np.exp(-(((at - middle) / 0.1) ** 2)) for middle in BUMPS_S)
    return (0.6 * envelope * np.sin(2 * np.pi * 220 * at)).astype(np.float32)


def found_ms(samples, rate, near_ms, within_ms):
    """Where the middle of the sound near that time is."""
    at_ms = np.arange(len(samples)) * 1e3 / rate
    power = np.where(np.abs(at_ms - near_ms) < within_ms, samples**2, 0)
    return np.sum(power * at_ms) / np.sum(power)


def encoded(name, rate, speed):
    stream = AudioStream(FORMATS[name], rate, speed)
    body = stream.feed(
        np.concatenate([np.zeros(round(PAUSE_S * SAMPLE_RATE), np.float32), bumps()])
    )
    return body + stream.finish()


@pytest.mark.parametrize(("name", "rate", "speed"), CASES)
def test_the_end_of_the_last_word_lies_within_the_sound(name, rate, speed):
    samples = decode(name, encoded(name, rate, speed), rate)
    if name == "opus":
        rate = round(len(samples) * speed / (SPOKEN_S + PAUSE_S) / 8000) * 8000
    clock = SoundClock((PAUSE_S, 0.0), speed, FORMATS[name].delay_s(rate))
    assert clock.ms(SPOKEN_S * SAMPLE_RATE, 0) <= len(samples) / rate * 1e3 + 0.1


@pytest.mark.parametrize(("name", "rate", "speed"), CASES)
def test_a_decoder_gives_each_word_at_its_time(name, rate, speed):
    samples = decode(name, encoded(name, rate, speed), rate)
    if name == "opus":  # decoders of Opus may choose the rate
        rate = round(len(samples) * speed / (SPOKEN_S + PAUSE_S) / 8000) * 8000
    clock = SoundClock((PAUSE_S, 0.0), speed, FORMATS[name].delay_s(rate))
    for middle_s in BUMPS_S:
        told_ms = clock.ms(middle_s * SAMPLE_RATE, 0)
        assert abs(found_ms(samples, rate, told_ms, 250 / speed) - told_ms) < 5 / min(1, speed)


def test_another_decoder_of_mp3_gives_each_word_at_the_same_time():
    samples, rate = soundfile.read(io.BytesIO(encoded("mp3", SAMPLE_RATE, 1.0)))
    clock = SoundClock((PAUSE_S, 0.0), delay_s=FORMATS["mp3"].delay_s(rate))
    told_ms = clock.ms(BUMPS_S[1] * SAMPLE_RATE, 0)
    assert abs(found_ms(samples, rate, told_ms, 250) - told_ms) < 5
