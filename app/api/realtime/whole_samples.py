"""The client's sound in whole samples, wherever its events are cut. Knows nothing about voice."""

from app.hearing.ears import SoundFormat
from app.hearing.sound import BYTES_PER_SAMPLE


class WholeSamples:
    """The events are one stream of bytes. What was taken counts as a part of the stream, also where
    it is refused or dropped afterwards, so the sound behind it begins on a sample."""

    def __init__(self) -> None:
        self._format: SoundFormat | None = None  # of the sound that was taken last
        self._half = b""  # a sample's first byte

    def take(self, sound: bytes, sound_format: SoundFormat) -> bytes:
        """What is whole now. Sound in another format begins anew."""
        if sound_format != self._format:
            self._format = sound_format
            self.begin_anew()
        if sound_format.encoding != "s16le":
            return sound
        sound = self._half + sound
        num_whole = len(sound) // BYTES_PER_SAMPLE * BYTES_PER_SAMPLE
        self._half = sound[num_whole:]
        return sound[:num_whole]

    def begin_anew(self) -> None:
        """The next byte is the first one of a sample."""
        self._half = b""
