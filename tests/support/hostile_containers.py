"""Hostile variants of every container that an upload may be: (sender, variant, bytes). The outcome
of each is in hostile_outcomes.py. A variant is made of six seconds of speech, so that a refusal is
due to what was done to it. Each is harmless to a decoder: none was seen to crash one."""

from collections.abc import Iterator
from itertools import chain

import numpy as np

from tests.support.container_lies import lies
from tests.support.containers import CONTAINERS, Container, contained, picture
from tests.support.hostile_uploads import GOOD, RATE, encoded

EIGHT = np.stack([GOOD] * 8)
ENDLESS = {  # two minutes of silence; those that a pipe can have are of unknown length
    "WebM": Container("webm", "libopus"),
    "MP4": Container("mp4", "aac", 16_000),
    "M4A": Container("ipod", "aac", 16_000),
    "ADTS": Container("adts", "aac", 16_000),
    "AMR": Container("amr", "libopencore_amrnb", 8000),
    "3GP": Container("3gp", "libopencore_amrnb", 8000),
    "CAF": Container("caf", "pcm_s16le", 24_000),
    "mp3": Container("mp3", "libmp3lame", 24_000),
    "Ogg": Container("ogg", "libopus"),
    "flac": Container("flac", "flac", 24_000),
}
PIPED = ("webm", "adts", "mp3", "ogg", "flac")
OF_EIGHT_CHANNELS = {
    "WebM": Container("webm", "libopus"),
    "MP4": Container("mp4", "aac"),
    "M4A": Container("ipod", "aac"),
    "ADTS": Container("adts", "aac"),
    "3GP": Container("3gp", "aac"),
    "MOV": Container("mov", "pcm_s16le"),
    "Ogg": Container("ogg", "libopus"),
    "flac": Container("flac", "flac"),
    "wav": Container("wav", "pcm_s16le"),
}
OF_A_HIGH_RATE = {  # the other containers have no codec of this rate
    "CAF": Container("caf", "pcm_s16le", 384_000),
    "MOV": Container("mov", "pcm_s16le", 384_000),
    "M4A": Container("ipod", "alac", 384_000),
    "flac": Container("flac", "flac", 384_000, (("strict", "experimental"),)),
    "wav": Container("wav", "pcm_s16le", 384_000),
}
PICTURES = {
    "MP4": ("mp4", "mjpeg", "yuvj420p"),
    "Matroska": ("matroska", "mjpeg", "yuvj420p"),
    "3GP": ("3gp", "mpeg4", "yuv420p"),
    "MOV": ("mov", "png", "rgb24"),
}

Variant = tuple[str, str, bytes]


def hostile_containers() -> Iterator[Variant]:
    return chain(_of_each_sender(), _endless(), _nested(), _pictures(), _of_many_samples())


def _of_each_sender() -> Iterator[Variant]:
    for sender, (container, whole) in bases(GOOD).items():
        yield sender, "whole", whole  # the control: what the others are made of is taken
        for share in (0.02, 0.3, 0.9):
            yield sender, f"cut at {share}", whole[: int(share * len(whole))]
        yield sender, "its middle gone", _without_middle(whole)
        yield sender, "zeros behind its start", whole[:64] + bytes(20_000)
        yield sender, "itself within its start", whole[:40] + whole
        for name, lying in lies(container.format, whole):
            yield sender, name, lying
    for sender, (_, empty) in bases(np.zeros((1, 0), np.float32)).items():
        yield sender, "no samples", empty


def bases(samples: np.ndarray) -> dict[str, tuple[Container, bytes]]:
    """The recording as each sender sends it."""
    sent = {sender: (each, contained(samples, each)) for sender, each in CONTAINERS.items()}
    half = samples.shape[-1] // 2
    for name, sender in (("mp3", "mp3 with a tag"), ("Ogg", "WhatsApp, Telegram (Ogg, Opus)")):
        container = CONTAINERS[sender]
        parts = (samples[..., :half], samples[..., half:])
        sent[f"{name}, joined"] = container, b"".join(contained(part, container) for part in parts)
    flac = CONTAINERS["flac"]
    sent["flac of unknown length"] = flac, contained(samples, flac, streamed=True)
    return sent


def _without_middle(whole: bytes) -> bytes:
    third = len(whole) // 3
    return whole[:third] + bytes(third) + whole[2 * third :]


def _endless() -> Iterator[Variant]:
    for name, container in ENDLESS.items():
        is_piped = container.format in PIPED
        content = contained(np.zeros(120 * RATE), container, streamed=is_piped)
        yield name, "two minutes of silence", content


def _nested() -> Iterator[Variant]:
    """A container within another one, as its sound."""
    webm = contained(GOOD, CONTAINERS["Chrome, Edge, Firefox (WebM, Opus)"])
    m4a = contained(GOOD, CONTAINERS["iPhone (M4A, AAC)"])
    wav = contained(GOOD, CONTAINERS["wav"])
    yield "wav", "of a WebM file", wav[:44] + webm
    yield "M4A", "in a box", (len(m4a) + 8).to_bytes(4, "big") + b"free" + m4a
    yield (
        "M4A",
        "in boxes in boxes",
        b"".join((8 * 1000 - 8 * depth).to_bytes(4, "big") + b"moov" for depth in range(1000)),
    )
    yield "WebM", "in a WebM", webm[:48] + webm[:2000]
    yield "WebM", "in a segment in a segment", webm[:48] + b"\x18\x53\x80\x67\xff" * 1000 + webm
    yield "a tag", "of tags", (b"ID3\x04\0\0\0\0\x07\x76" + b"ID3\x04\0\0\0\0\x07\x76") * 500


def _pictures() -> Iterator[Variant]:
    for name, (container, codec, pixels) in PICTURES.items():
        yield name, "a picture", picture(container, codec, pixels)
    yield "a tag", "a picture", b"ID3\x04\0\0\0\0\x08\0" + b"\x89PNG" + bytes(1020)
    flac = contained(GOOD, CONTAINERS["flac"])
    cover = bytes(32) + b"\x89PNG" + bytes(100_000)  # a block without a type or a size
    block = bytes([6]) + len(cover).to_bytes(3, "big") + cover
    yield "flac", "a broken picture", flac[:42] + block + flac[42:]


def _of_many_samples() -> Iterator[Variant]:
    for name, container in OF_EIGHT_CHANNELS.items():
        yield name, "8 channels", contained(EIGHT, container, layout="7.1")
    yield "CAF", "8 channels", encoded(EIGHT.T, kind="CAF")
    for name, container in OF_A_HIGH_RATE.items():
        yield name, "384 kHz", contained(GOOD, container)
