"""The sound of a context without a word, such as an emoji: a short silence in the context's format.

LiveKit asks four times for a context that ends without sound, and then fails. Pipecat holds a
service unusable after three. Knows nothing about vendors.
"""

import numpy as np

from app.api.dialects.dialect import Opening
from app.audio.formats import FORMATS, AudioStream
from app.core import SAMPLE_RATE

SHORT_S = 0.2


def short_silence(opening: Opening) -> bytes:
    """A whole stream of the format. Takes a millisecond or two, on the caller's thread."""
    own = FORMATS[opening.start.response_format or "pcm"]
    audio = opening.sound or own
    stream = AudioStream(audio, opening.start.sample_rate or audio.default_rate)
    samples = np.zeros(round(SHORT_S * SAMPLE_RATE), np.float32)
    return stream.feed(samples) + stream.finish()
