"""Sound of a caller into frames of 16 kHz, 16 bit, mono.

FFmpeg's resampler holds back at most 2 ms of sound; soxr's holds back up to 60 ms (measured
2026-11-30). What lies above 9 kHz comes back below -60 dB, which is enough for a recogniser. Knows
nothing about voice or words.
"""

import av
import numpy as np
from numpy.typing import NDArray

from app.errors import BadRequest
from app.hearing.ears import Encoding, SoundFormat
from app.hearing.sound import BYTES_PER_SAMPLE, RATE

MIN_RATE, MAX_RATE = 8_000, 48_000

_G711 = {"mulaw": "pcm_mulaw", "alaw": "pcm_alaw"}


def require_format(sound: SoundFormat) -> None:
    """Raises BadRequest."""
    if not MIN_RATE <= sound.sample_rate <= MAX_RATE:
        raise BadRequest(
            f"sound of {sound.sample_rate} Hz cannot be heard; {MIN_RATE} to {MAX_RATE} Hz can",
            param="sample_rate",
        )


class Framer:
    """Belongs to one call. The frames do not depend on how the sound is cut."""

    def __init__(self, sound: SoundFormat, num_samples: int, rest: bytes = b"") -> None:
        """A frame has `num_samples` samples; the first one begins with `rest`, which is shorter.
        Raises BadRequest."""
        require_format(sound)
        self.num_samples = num_samples
        self._rate = sound.sample_rate
        self._table = _g711_table(sound.encoding) if sound.encoding != "s16le" else None
        self._resampler: av.AudioResampler | None = None
        if sound.sample_rate != RATE:
            self._resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        self._frame_bytes = num_samples * BYTES_PER_SAMPLE
        self._odd = b""  # half a sample
        self._rest = bytearray(rest)  # less than a frame
        self._num_samples = 0

    @property
    def accepted_s(self) -> float:
        return self._num_samples / self._rate

    def feed(self, sound: bytes) -> list[bytes]:
        pcm = self._decoded(sound)
        self._num_samples += len(pcm)
        self._rest += self._resampled(pcm) if len(pcm) else b""
        num_whole = len(self._rest) // self._frame_bytes
        size = self._frame_bytes
        frames = [bytes(self._rest[at * size : (at + 1) * size]) for at in range(num_whole)]
        del self._rest[: num_whole * size]
        return frames

    def take_rest(self) -> bytes:
        """What is less than a frame. Half a sample is dropped: the next sound begins anew."""
        rest = bytes(self._rest)
        self._rest.clear()
        self._odd = b""
        return rest

    def _decoded(self, sound: bytes) -> NDArray[np.int16]:
        if self._table is not None:
            return self._table[np.frombuffer(sound, np.uint8)]
        sound = self._odd + sound
        whole = len(sound) // BYTES_PER_SAMPLE * BYTES_PER_SAMPLE
        self._odd = sound[whole:]
        return np.frombuffer(sound[:whole], "<i2").astype(np.int16)

    def _resampled(self, pcm: NDArray[np.int16]) -> bytes:
        if self._resampler is None:
            return pcm.astype("<i2").tobytes()
        frame = av.AudioFrame.from_ndarray(pcm[np.newaxis], "s16", "mono")
        frame.sample_rate = self._rate
        frame.pts = self._num_samples - len(pcm)
        given = [part.to_ndarray()[0] for part in self._resampler.resample(frame)]
        return b"".join(part.astype("<i2").tobytes() for part in given)


def _g711_table(encoding: Encoding) -> NDArray[np.int16]:
    """The sample of each of the 256 bytes, by FFmpeg's decoder."""
    decoder = av.CodecContext.create(_G711[encoding], "r")
    assert isinstance(decoder, av.AudioCodecContext)
    decoder.sample_rate = 8_000
    decoder.layout = "mono"
    (frame,) = decoder.decode(av.Packet(bytes(range(256))))
    table: NDArray[np.int16] = frame.to_ndarray()[0].astype(np.int16)
    return table
