"""Hostile variants of every container that an upload may be: (name, bytes, expected words of the
refusal). Each is harmless to a decoder: none was seen to crash one."""

import numpy as np

from tests.support.containers import CONTAINERS, Container, contained, picture
from tests.support.hostile_uploads import GOOD, LONG, RATE, SHORT, UNREADABLE, encoded

SECOND = GOOD[:RATE]
UNUSABLE = f"{SHORT}|{UNREADABLE}|silent|finite|channels|Hz"
EIGHT = np.stack([SECOND] * 8)
LENGTHS = {  # of a file, or of its sound, by the container: what stands before a length
    "mp4": (b"mvhd", b"mdhd", b"stsz", b"stts", b"trun"),
    "ipod": (b"mvhd", b"mdhd", b"stsz", b"stts", b"stsc", b"stco"),
    "3gp": (b"mvhd", b"mdhd", b"stsz", b"stts"),
    "mov": (b"mvhd", b"mdhd", b"stsz", b"stts"),
    "caf": (b"data", b"pakt", b"desc"),
    "wav": (b"RIFF", b"data"),
    "webm": (b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75"),  # the segment, a cluster
    "matroska": (b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75"),
}


def hostile_containers():
    for sender, container in CONTAINERS.items():
        whole = contained(SECOND, container)
        yield f"{sender}, a second", whole, SHORT
        yield f"{sender}, of no samples", contained(np.zeros((1, 0)), container), UNUSABLE
        for share in (0.02, 0.3, 0.9):
            yield f"{sender}, cut at {share}", whole[: int(share * len(whole))], UNUSABLE
        yield f"{sender}, its middle gone", _without_middle(whole), UNUSABLE
        yield f"{sender}, zeros behind its start", whole[:64] + bytes(20_000), UNUSABLE
        yield f"{sender}, itself within its start", whole[:40] + whole, UNUSABLE
        for mark in LENGTHS.get(container.format, ()):
            for length in (b"\xff" * 8, b"\0" * 8, b"\x7f" + b"\xff" * 7):
                lying = whole.replace(mark, mark + length)[: len(whole)]
                yield f"{sender}, {mark!r} {length.hex()}", lying, UNUSABLE
                lying = _overwritten(whole, mark, length)
                yield f"{sender}, {mark!r} lies {length.hex()}", lying, UNUSABLE
    yield from _endless()
    yield from _nested()
    yield from _pictures()
    yield from _of_many_channels_and_high_rates()


def _without_middle(whole):
    third = len(whole) // 3
    return whole[:third] + bytes(third) + whole[2 * third :]


def _overwritten(whole, mark, length):
    at = whole.find(mark) + len(mark)
    return whole[:at] + length + whole[at + len(length) :]


def _endless():
    for name in ("webm", "adts", "amr", "caf", "ipod"):
        container = next(each for each in CONTAINERS.values() if each.format == name)
        yield f"{name}, two minutes of silence", contained(np.zeros(120 * RATE), container), LONG


def _nested():
    """A container within another one, as its sound."""
    webm = contained(GOOD, CONTAINERS["Chrome, Edge, Firefox (WebM, Opus)"])
    m4a = contained(GOOD, CONTAINERS["iPhone (M4A, AAC)"])
    wav = contained(SECOND, CONTAINERS["wav"])
    yield "a WebM in a WAV", wav[:44] + webm, UNUSABLE
    yield "an M4A in a box", (len(m4a) + 8).to_bytes(4, "big") + b"free" + m4a, UNUSABLE + "|$"
    yield "a WebM in a WebM", webm[:48] + webm[:2000], UNUSABLE
    yield "tags in a tag", (b"ID3\x04\0\0\0\0\x07\x76" + b"ID3\x04\0\0\0\0\x07\x76") * 500, UNUSABLE


def _pictures():
    for name, codec, pixels in (
        ("mp4", "mjpeg", "yuvj420p"),
        ("matroska", "mjpeg", "yuvj420p"),
        ("3gp", "mpeg4", "yuv420p"),
        ("mov", "png", "rgb24"),
    ):
        yield f"{name}, a picture", picture(name, codec, pixels), UNREADABLE
    yield (
        "a picture alone in a tag",
        b"ID3\x04\0\0\0\0\x08\0" + b"\x89PNG" + bytes(1020),
        UNREADABLE,
    )


def _of_many_channels_and_high_rates():
    for name, codec in (
        ("webm", "libopus"),
        ("mp4", "aac"),
        ("adts", "aac"),
        ("mov", "pcm_s16le"),
        ("flac", "flac"),
    ):
        eight = contained(EIGHT, Container(name, codec), layout="7.1")
        yield f"{name}, 8 channels", eight, "channels"
    yield "caf, 8 channels", encoded(EIGHT.T, kind="CAF"), "channels"
    for name, codec in (("caf", "pcm_s16le"), ("mov", "pcm_s16le"), ("ipod", "alac")):
        yield f"{name}, 384 kHz", contained(GOOD, Container(name, codec, 384_000)), "Hz"
