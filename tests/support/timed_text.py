"""A text whose words have known times, and how they are told."""

from app.word_marks import WordTime
from tests.support.live_synthesizer import LiveSynthesizer

TEXT = "It costs $5 today."  # said: It costs five dollars today.
TOKEN = 960  # samples: 40 ms; a chunk has 5
TIMES = (
    WordTime(0, 0, 1 * TOKEN, 3 * TOKEN),
    WordTime(0, 1, 4 * TOKEN, 6 * TOKEN),
    WordTime(0, 2, 6 * TOKEN, 8 * TOKEN),
    WordTime(0, 3, 8 * TOKEN, 10 * TOKEN),
    WordTime(0, 4, 11 * TOKEN, 14 * TOKEN),
)
TOLD = [  # text, place, start and end in ms
    ("It", 0, 2, 40, 120),
    ("costs", 3, 8, 160, 240),
    ("$5", 9, 11, 240, 400),
    ("today.", 12, 18, 440, 560),
]
HEARD = {"text": "It costs", "last_word": "costs", "char_end": 8, "is_estimate": False}


def synthesizer(words=TIMES, num_chunks=3):
    return LiveSynthesizer(num_chunks, 0.0, words=words)


def told(words):
    fields = ("text", "char_start", "char_end", "start_ms", "end_ms")
    return [tuple(word[name] for name in fields) for word in words]
