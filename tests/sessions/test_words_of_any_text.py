"""Words of texts of every kind: in order, each with its place, and heard in order, whatever the
model has marked."""

import random
from itertools import pairwise

import numpy as np
import pytest

from app.audio.captions import srt, vtt
from app.core import SAMPLE_RATE, AudioChunk, FinishReason, SessionKey
from app.sessions.heard import heard
from app.sessions.word_clock import SoundClock, WordClock
from app.text.plan import TextRules, plan_text
from app.text.pronunciations import Pronunciation
from app.word_marks import WordTime

KEY = SessionKey("default", "any")
RULES = TextRules("en", "on", strip_markdown=True, strip_emoji=True)
TEXTS = {
    "markdown": "# Title\n\n**Bold** _it_ [link](http://x.y/z), `code`.\n\n- one\n- two\n\nEnd.",
    "ssml": "<speak>Hello<break time='300ms'/>big <say-as interpret-as='digits'>123</say-as> "
    "<sub alias='World Wide Web'>WWW</sub> &amp; more.</speak>",
    "numbers": "It costs $1,234.56 on 3/4/2025 at 10:30, 50% of 1e6, 1st, IV, 3.14, -5, 1/2.",
    "emoji": "\U0001f389Hi \U0001f469\u200d\U0001f467 there\U0001f389! Good day.",
    "right to left": "\u05e9\u05dc\u05d5\u05dd, this is \u0645\u0631\u062d\u0628\u0627 text.",
    "no spaces": "\u4f60\u597d,\u4e16\u754c\u3002\u3053\u308c\u306f\u30c6\u30b9\u30c8\u3002",
    "marks": "e\u0301te\u0301 nai\u0308ve fine.",
    "pauses": "[pause:1s] Hello. [pause:0.5s] World [sigh] again. [pause:1s]",
    "reasoning": "<think>hidden</think>Shown words here.",
    "breaks": "a\r\nb\rc\n\n\n\td  e.",
    "dots": '... Wait... what?! -- well -- (yes) "quoted".',
    "one word": "Hi",
    "long": "Many words come here, and more. " * 30,
    "a long word": "a" * 300 + " tail.",
    "pronounced": "Kubernetes, kubernetes and Kubernetes.",
}
NUM_MARKED = 6  # ways of marking


def planned(text):
    said = (Pronunciation("Kubernetes", "koo ber net ease"),)
    rules = RULES if "Kubernetes" not in text else TextRules("en", pronunciations=said)
    return plan_text(text, rules)


def chunks_of(spoken, drawn, last=FinishReason.STOP):
    """Each segment in up to three chunks. The model marks none, some or all of its words, out of
    place where it stumbles."""
    start = 0
    for segment, words in enumerate(spoken.words):
        length = drawn.choice((0, 1, 300, 12_000, 48_000))
        share = drawn.choice((0.0, 0.5, 1.0))
        borders = sorted(drawn.randrange(length + 1) for _ in range(2 * len(words)))
        times = [
            WordTime(segment, num, start + at, drawn.choice((None, start + until)))
            for num, (at, until) in enumerate(zip(borders[::2], borders[1::2], strict=True))
            if drawn.random() < share
        ]
        cut = drawn.randrange(length + 1)
        for begin, end in ((0, cut), (cut, length)):
            now = [t for t in times if begin <= t.start - start < end]
            pcm = np.zeros(end - begin, np.float32)
            yield AudioChunk(KEY, segment, start + begin, pcm, words=tuple(now))
        start += length
    yield AudioChunk(KEY, segment, start, np.zeros(0, np.float32), finish=last)


def clock_of(text, spoken, speed=1.0):
    places = [[(word.start, word.end) for word in words] for words in spoken.words]
    return WordClock(text, places, SoundClock(spoken.pauses_s, speed, 0.046))


@pytest.mark.parametrize("seed", range(NUM_MARKED))
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_words_are_in_order_with_their_places(text, seed):
    drawn = random.Random(seed)
    spoken = planned(text)
    clock = clock_of(text, spoken, speed=drawn.choice((0.25, 1.0, 4.0)))
    newest = {}
    num_samples = 0
    for chunk in chunks_of(spoken, drawn):
        clock.add(chunk)
        num_samples = chunk.start + len(chunk.pcm)
        newest.update(((word.char_start, word.char_end), word) for word in clock.news())
    transcript = clock.transcript(num_samples, is_end=True)
    at_char, at_ms = 0, 0.0
    for word in transcript.words:
        assert word.text == text[word.char_start : word.char_end]
        assert at_char <= word.char_start < word.char_end
        assert at_ms <= word.start_ms <= word.end_ms
        assert word == newest[word.char_start, word.char_end]
        at_char, at_ms = word.char_end, word.end_ms
    assert at_ms <= transcript.audio_ms + 0.001
    assert vtt(transcript).startswith("WEBVTT")
    assert srt(transcript).count("-->") == vtt(transcript).count("-->")


@pytest.mark.parametrize("finish", [FinishReason.STOP, FinishReason.CANCELLED])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_more_that_is_played_is_more_that_is_heard(text, finish):
    drawn = random.Random(7)
    spoken = planned(text)
    clock = clock_of(text, spoken)
    for chunk in chunks_of(spoken, drawn, finish):
        clock.add(chunk)
    sent = clock.transcript(2 * SAMPLE_RATE, is_end=finish is FinishReason.STOP)
    told = [heard(sent, played_ms) for played_ms in (-1.0, 0.0, 46.0, 500.0, 1500.0, 9e5, None)]
    assert told[0].text == ""
    for less, more in pairwise(told):
        assert more.text == text[: more.char_end]
        assert less.char_end <= more.char_end
    assert told[-1] == told[-2]
