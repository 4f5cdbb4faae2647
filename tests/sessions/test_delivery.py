"""A session's account: what counts as sent, how long a chunk must wait, and what ended it."""

from dataclasses import replace

import numpy as np
import pytest

from app.core import AudioChunk, Cost, FinishReason, SynthesisRequest
from app.sessions.delivery import Delivery
from app.spoken_words import Transcript
from app.word_marks import WordTime
from tests.support.live_sessions import REQUEST, A

AHEAD_S = 3.0
SAID = Transcript("Hello.", (), 2000.0)


def sound(seconds: float, segment: int = 0, finish: FinishReason | None = None) -> AudioChunk:
    return AudioChunk(A, segment, 0, np.ones(round(seconds * 24_000), np.float32), 1, finish)


def paced(**changes) -> SynthesisRequest:
    return replace(REQUEST, is_paced=True, **changes)


def sent(delivery: Delivery, chunk: AudioChunk) -> Delivery:
    delivery.add(chunk)
    delivery.sent()
    return delivery


@pytest.mark.parametrize(("speed", "wait_s"), [(0.25, 4 * 2.0 - AHEAD_S / 2), (1.0, 0.5), (2.0, 0)])
def test_a_chunk_waits_in_the_listeners_seconds(clock, speed, wait_s):
    delivery = sent(Delivery(paced(speed=speed), clock), sound(2.0))
    assert max(0.0, delivery.wait_s(sound(2.0), AHEAD_S)) == pytest.approx(wait_s)


def test_the_pauses_of_a_text_are_played_too(clock):
    request = paced(segments=("a", "b"), pauses_s=(1.0, 2.0, 0.0))
    delivery = sent(Delivery(request, clock), sound(0.5))  # 1.5 s with the first pause
    assert delivery.wait_s(sound(0.5, segment=0), AHEAD_S) < 0
    assert delivery.wait_s(sound(0.5, segment=1), AHEAD_S) == pytest.approx(0.0)  # min(1.0, 0.0)
    sent(delivery, sound(0.5, segment=1))  # 4 s in all
    assert delivery.wait_s(sound(0.5, segment=1), AHEAD_S) == pytest.approx(4.0 + 0.5 - 3.0)


def test_a_session_without_a_playback_clock_never_waits(clock):
    delivery = sent(Delivery(REQUEST, clock), sound(60.0))
    assert delivery.wait_s(sound(1.0), AHEAD_S) == 0.0


def test_the_speed_is_that_of_the_first_sound(clock):
    first, later = {"t3": Cost(0.01, 0.0)}, {"t3": Cost(0.05, 0.0)}
    delivery = Delivery(paced(), clock)
    for costs in (first, later, {}):
        sent(delivery, replace(sound(0.5), costs=costs))
    assert delivery.end(None, None).costs == first


def test_a_chunk_that_was_abandoned_counts_as_not_sent(clock):
    delivery = sent(Delivery(paced(), clock), sound(2.0))
    delivery.add(sound(1.0))
    delivery.abandoned()
    delivery.sent()
    assert delivery.end("cancel", None).audio_sent_s == 2.0


@pytest.mark.parametrize("finish", [None, FinishReason.STOP])
def test_a_reader_that_stalls_ends_the_session_as_cancelled(clock, finish):
    """Also where the text had been spoken to its end: the listener did not hear it."""
    delivery = sent(Delivery(paced(), clock), sound(2.0))
    delivery.add(sound(1.0, finish=finish))
    end = delivery.end("reader_stalled", None)
    assert (end.reason, end.cause) == (FinishReason.CANCELLED, "reader_stalled")
    assert end.audio_sent_s == 2.0


def test_the_playback_of_a_stream_begins_when_its_player_was_told_to_begin(clock):
    """So the account of underruns does not take the wait for a stall. The pacing lets a player
    that begins at once have its sound."""
    delivery = Delivery(paced(), clock)
    sent(delivery, replace(sound(0.3), prebuffer_s=0.2))
    clock.now += 0.45
    sent(delivery, sound(1.0))
    assert delivery.end(None, None).num_underruns == 0
    late_s = 0.2  # the player that waited has this much more left
    assert delivery.wait_s(sound(1.0), AHEAD_S) == pytest.approx(
        0.05 + 1.0 + 1.0 - late_s - AHEAD_S
    )


class Account:
    """Of the words: notes what it is asked."""

    def __init__(self):
        self.asked = []

    def transcript(self, num_samples, *, is_end):
        self.asked.append((num_samples, is_end))
        return SAID


@pytest.mark.parametrize(
    ("finish", "is_end"),
    [(FinishReason.STOP, True), (FinishReason.LENGTH, True), (FinishReason.CANCELLED, False)],
)
def test_the_end_has_the_words_of_what_was_sent(clock, finish, is_end):
    account = Account()
    delivery = sent(Delivery(paced(), clock, account), sound(2.0))
    delivery.add(sound(0.0, finish=finish))
    assert delivery.end(None, None).transcript is SAID
    assert account.asked == [(48_000, is_end)]


def test_a_session_without_an_account_ends_without_words(clock):
    assert Delivery(paced(), clock).end(None, None).transcript is None


def test_words_that_come_with_no_sound_are_told_with_the_finish(clock):
    word = WordTime(0, 0, 0, 960)
    delivery = sent(Delivery(paced(), clock), replace(sound(1.0), words=(word,)))
    assert delivery.last_chunk(FinishReason.STOP).words == ()
    delivery.add(replace(sound(0.0, finish=FinishReason.STOP), words=(word,)))
    assert delivery.last_chunk(FinishReason.STOP).words == (word,)
