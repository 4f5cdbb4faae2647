"""Files whose header lies about a length or a count: too much, too little, nothing."""

from collections.abc import Iterator
from typing import NamedTuple


class Field(NamedTuple):
    """A number in a header: it begins `offset` bytes behind the first `mark`."""

    name: str
    mark: bytes
    offset: int
    num_bytes: int


def _boxes(*names: str) -> tuple[Field, ...]:
    """The sizes of boxes, which stand before their names."""
    return tuple(Field(f"size of {name}", name.encode(), -8, 4) for name in names)


_OF_MP4 = (
    *_boxes("moov", "mdat", "trak", "stbl"),
    Field("duration", b"mvhd", 16, 4),
    Field("duration of the track", b"mdhd", 16, 4),
    Field("number of times", b"stts", 4, 4),
    Field("size of a sample", b"stsz", 4, 4),
    Field("number of samples", b"stsz", 8, 4),
)
_OF_AN_INDEX = (
    Field("number of chunks", b"stco", 4, 4),
    Field("place of a chunk", b"stco", 8, 4),
    Field("number of runs", b"stsc", 4, 4),
    Field("samples of a run", b"stsc", 12, 4),
)
_OF_MATROSKA = (  # eight bytes, of which the first one tells how many there are
    Field("size of the segment", b"\x18\x53\x80\x67", 1, 7),
    Field("size of a cluster", b"\x1f\x43\xb6\x75", 1, 7),
)
FIELDS: dict[str, tuple[Field, ...]] = {
    "mp4": (*_OF_MP4, *_boxes("moof"), Field("samples of a fragment", b"trun", 4, 4)),
    "ipod": (*_OF_MP4, *_OF_AN_INDEX),
    "mov": (*_OF_MP4, *_OF_AN_INDEX),
    "3gp": (*_OF_MP4, *_OF_AN_INDEX),
    "webm": _OF_MATROSKA,
    "matroska": _OF_MATROSKA,
    "caf": (
        Field("size of the description", b"desc", 0, 8),
        Field("bytes of a packet", b"desc", 24, 4),
        Field("samples of a packet", b"desc", 28, 4),
        Field("size of the sound", b"data", 0, 8),
    ),
    "wav": (
        Field("size of the file", b"RIFF", 0, 4),
        Field("size of the format", b"fmt ", 0, 4),
        Field("bytes of a frame", b"fmt ", 16, 2),
        Field("size of the sound", b"data", 0, 4),
    ),
    "adts": (Field("length of a frame", b"\xff\xf1", 2, 3),),
    "amr": (Field("kind of a frame", b"#!AMR\n", 0, 1),),
    "ogg": (
        Field("number of segments", b"OggS", 22, 1),
        Field("place in the sound", b"OggS", 2, 8),
    ),
    "mp3": (Field("number of frames", b"Info", 4, 4), Field("size of the tag", b"ID3", 3, 4)),
    "flac": (
        Field("size of the description", b"fLaC", 1, 3),
        Field("largest block", b"fLaC", 6, 2),
        Field("number of samples", b"fLaC", 18, 4),
    ),
}


def lies(container: str, whole: bytes) -> Iterator[tuple[str, bytes]]:
    """(what lies and how, the file) of each field that the file has."""
    for field in FIELDS[container]:
        if field.mark not in whole:
            continue
        at = whole.index(field.mark) + len(field.mark) + field.offset
        rest = whole[at + field.num_bytes :]
        ones = b"\xff" * field.num_bytes
        numbers = {"most": ones, "half": b"\x7f" + ones[1:], "none": bytes(field.num_bytes)}
        for lie, number in numbers.items():
            yield f"{field.name}: {lie}", whole[:at] + number + rest
