"""A container is told by its first bytes."""

import pytest

from app.voices.containers import caf_channels, container_of, without_tag
from tests.support.containers import CONTAINERS, contained
from tests.support.hostile_uploads import GOOD

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
