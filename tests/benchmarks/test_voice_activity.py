from benchmarks.voice_activity import Trigger, changes, delays_ms

FRAME_S = 0.032
VOICE = [0.0] * 10 + [0.9] * 20


def test_the_delay_is_counted_from_the_voice_to_the_frame_that_shows_it():
    began_s = 10 * FRAME_S
    spoken = [(began_s, VOICE)]
    assert round(delays_ms("silero", spoken, Trigger(1, 1))[0], 3) == 32
    assert round(delays_ms("silero", spoken, Trigger(3, 4))[0], 3) == 96


def test_a_voice_that_must_last_is_noticed_when_it_has_lasted():
    assert round(delays_ms("silero", [(10 * FRAME_S, VOICE)], Trigger(3, 4, 0.5))[0], 3) == 512
    assert delays_ms("silero", [(10 * FRAME_S, VOICE)], Trigger(3, 4, 0.7)) == [None]


def test_a_voice_that_nobody_notices_has_no_delay():
    assert delays_ms("silero", [(0.1, [0.0] * 30)], Trigger(1, 1)) == [None]


def test_a_stricter_trigger_lets_a_short_noise_pass():
    noise = [0.0] * 10 + [0.9] * 4 + [0.0] * 30
    assert [kind.kind for _, kind in changes("silero", noise, Trigger(3, 4))] == ["began", "ended"]
    assert list(changes("silero", noise, Trigger(6, 8))) == []
