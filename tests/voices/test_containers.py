"""A container is told by its first bytes."""

import numpy as np
import pytest

from app.voices.containers import (
    caf_channels,
    container_of,
    has_broken_frames,
    without_tag,
)
from tests.support.containers import CONTAINERS, contained
from tests.support.hostile_uploads import GOOD, encoded, header

FOUND = {"webm": "matroska", "ipod": "mov", "mp4": "mov", "3gp": "mov", "adts": "aac"}


@pytest.mark.parametrize("sender", CONTAINERS)
def test_a_container_is_found(sender):
    container = CONTAINERS[sender]
    content = without_tag(contained(GOOD[:24_000], container))
    assert container_of(content) == FOUND.get(container.format, container.format)


@pytest.mark.parametrize(
    "content", [b"", b"RIFF\0\0\0\0AVI ", b"\xff", b"\xff\xe1\0\0", b"PK\3\4", b"<html>", b"MThd"]
)
def test_what_is_none_is_told(content):
    assert container_of(content) is None


def test_a_tag_is_taken_off_and_a_file_without_one_is_left():
    assert without_tag(b"ID3\x04\0\0\0\0\1\0" + bytes(128) + b"rest") == b"rest"
    assert without_tag(b"ID3\x04\0\x10\0\0\0\3abc" + bytes(10) + b"rest") == b"rest"
    assert without_tag(b"ID3\x04\0\0\0\0\0\0" * 100_000 + b"rest") == b"rest"
    assert without_tag(b"RIFF") == b"RIFF"


def test_the_channels_of_a_caf_file_are_read():
    assert caf_channels(contained(GOOD[:24_000], CONTAINERS["macOS (CAF, PCM)"])) == 1
    assert caf_channels(b"caff\0\1\0\0") == 0


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "PCM_U8", "IMA_ADPCM", "ULAW"])
@pytest.mark.parametrize("kind", ["WAV", "WAVEX"])
def test_the_frames_of_a_wav_file_that_a_program_wrote_are_whole(subtype, kind):
    if (kind, subtype) != ("WAVEX", "IMA_ADPCM"):
        stereo = np.stack([GOOD[:24_000]] * 2, 1)
        assert not has_broken_frames(encoded(stereo, kind=kind, subtype=subtype))


@pytest.mark.parametrize("frame_bytes", [1, 5, 0xFFFF])
def test_frames_that_are_no_whole_samples_are_found(frame_bytes):
    wav = header(channels=2, content=bytes(400))
    lying = wav[:32] + frame_bytes.to_bytes(2, "little") + wav[34:]
    assert has_broken_frames(lying)
    assert not has_broken_frames(wav)
    junk = b"junk" + (5).to_bytes(4, "little") + b"fmt  \0"  # of odd size, with a byte behind it
    assert has_broken_frames(lying[:12] + junk + lying[12:])


@pytest.mark.parametrize("length", range(12, 44, 3))
def test_a_wav_file_that_ends_within_its_header_has_no_broken_frames(length):
    assert not has_broken_frames(header(content=bytes(400))[:length])
