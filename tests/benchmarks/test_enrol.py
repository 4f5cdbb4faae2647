"""The time of a server's first recordings."""

import io
import wave

from app.audio.pcm import wav_header
from benchmarks import enrol


def test_medians_are_those_of_each_figure() -> None:
    rows = [{"quiet": 1.0, "gap": 0.0}, {"quiet": 9.0, "gap": 0.1}, {"quiet": 2.0, "gap": 0.0}]
    assert enrol.medians(rows) == {"quiet": 2.0, "gap": 0.0}


def test_the_second_recording_is_another_part_of_the_first() -> None:
    recording = wav_header(24_000) + bytes(range(240)) * 200
    with wave.open(io.BytesIO(enrol.other(recording))) as file:
        assert (file.getnframes(), file.getframerate()) == (18_000, 24_000)


def test_a_stream_is_longer_than_a_slow_upload() -> None:
    assert 3500 < len(enrol.LONG_TEXT) <= 4096  # 12 characters for a second of sound
