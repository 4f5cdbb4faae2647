"""The part of a recording of which a voice is made: the one rule for a caller's recording and an
operator's. Knows nothing about files or models.
"""

from app.voices.speech_activity import Samples, SpeechActivity, find_speech
from app.voices.unusable_sound import UnusableSound

MIN_SPEECH_S = 5.0
WINDOW_S = 10.0  # from the first word on: the vocoder's prompt is made of it


def find_spoken_part(wav: Samples, rate: int) -> SpeechActivity:
    """From the first to the last word. Raises UnusableSound where the first WINDOW_S of it have
    less than MIN_SPEECH_S of speech."""
    seconds = len(wav) / rate
    if seconds < MIN_SPEECH_S:
        raise UnusableSound(f"is {seconds:.2f} s long; it must have {MIN_SPEECH_S:g} s of speech")
    activity = find_speech(wav, rate)
    if activity is None:
        raise UnusableSound("is silent, or has no speech that is louder than its noise")
    stop = min(activity.stop, activity.start + round(WINDOW_S * rate))
    early = find_speech(wav[activity.start : stop], rate)
    speech_s = 0.0 if early is None else early.heard.speech_s
    if speech_s < MIN_SPEECH_S:
        raise UnusableSound(
            f"has {speech_s:.1f} s of speech within {WINDOW_S:g} s of its first word; "
            f"it must have {MIN_SPEECH_S:g} s"
        )
    return activity
