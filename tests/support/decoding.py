"""Encoded audio back into samples."""

import io

import av
import numpy as np
import soundfile

# A bare stream cannot announce these: samples of silence before the first, and the codec's frame.
DELAY = {"mp3": 1105, "aac": 1024}
FRAME = {"mp3": 1152, "aac": 1024}
G711 = {"mulaw": "ULAW", "alaw": "ALAW"}


def decode(name, body, rate=24_000):
    """The samples of a body at `rate`, by a decoder that did not write it where there is one."""
    if name == "pcm":
        return np.frombuffer(body, "<i2") / 32768
    if name in G711:
        file = soundfile.SoundFile(
            io.BytesIO(body), samplerate=rate, channels=1, subtype=G711[name], format="RAW"
        )
        return file.read()
    if name in ("wav", "opus"):
        samples, read_rate = soundfile.read(io.BytesIO(body))
        assert read_rate == rate or name == "opus"
        return samples
    with av.open(io.BytesIO(body)) as container:
        frames = [frame.to_ndarray().ravel() for frame in container.decode(audio=0)]
        samples = np.concatenate(frames)
        return samples / 32768 if samples.dtype == np.int16 else samples
