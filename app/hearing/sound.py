"""The sound that detectors and recognisers take: 16 kHz, 16 bit little endian, mono."""

RATE = 16_000  # Hz
BYTES_PER_SAMPLE = 2


def seconds_of(pcm: bytes) -> float:
    return len(pcm) / BYTES_PER_SAMPLE / RATE
