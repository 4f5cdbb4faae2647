"""Which container a file is, by its first bytes. Its name and its media type do not count: browsers
and phones give wrong ones. Knows nothing about codecs or samples.
"""

import struct

NAMES = "WAV, FLAC, Ogg, MP3, WebM, MP4 (M4A, 3GP), AAC, AMR or CAF"

_ID3_HEADER_BYTES = 10
_CAF_CHANNELS_AT = 44
_WAV_FORMAT = struct.Struct("<HHIIHH")
_WAV_PCM = (1, 3, 0xFFFE)  # integers, floats, either of them with more about the channels
_AT_THE_START = {  # FFmpeg's name of the container by the first bytes
    b"fLaC": "flac",
    b"OggS": "ogg",
    b"\x1a\x45\xdf\xa3": "matroska",
    b"caff": "caf",
    b"#!AMR": "amr",
}
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")  # the first box of an MP4 file


def container_of(content: bytes) -> str | None:
    """FFmpeg's name of the container; None where the file is none of NAMES."""
    for start, name in _AT_THE_START.items():
        if content.startswith(start):
            return name
    if content[:4] in (b"RIFF", b"RF64") and content[8:12] == b"WAVE":
        return "wav"
    if content[4:8] in _BOXES:
        return "mov"
    return _framed(content)


def caf_channels(content: bytes) -> int:
    """What a CAF file says of its channels; 0 where its first chunk is not the description."""
    if content[8:12] != b"desc":
        return 0
    return int.from_bytes(content[_CAF_CHANNELS_AT : _CAF_CHANNELS_AT + 4], "big")


def has_broken_frames(content: bytes) -> bool:
    """Whether a WAV file of PCM says that its frames are no whole number of samples. FFmpeg reads
    it by those frames, as noise."""
    at = 12
    while content[at : at + 4] != b"fmt ":
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
        if at >= len(content):
            return False
    coding, num_channels, _, _, frame_bytes, bits = _WAV_FORMAT.unpack(
        content[at + 8 : at + 8 + _WAV_FORMAT.size].ljust(_WAV_FORMAT.size, b"\0")
    )
    sample_bytes = num_channels * (bits // 8)
    return coding in _WAV_PCM and sample_bytes > 0 and frame_bytes % sample_bytes != 0


def without_tag(content: bytes) -> bytes:
    """The file without the ID3 tags at its start, which may be large: they may have a picture."""
    at = 0
    while content.startswith(b"ID3", at) and len(content) >= at + _ID3_HEADER_BYTES:
        size = 0
        for byte in content[at + 6 : at + _ID3_HEADER_BYTES]:
            size = size << 7 | byte & 0x7F
        has_footer = bool(content[at + 5] & 0x10)
        at += _ID3_HEADER_BYTES * (1 + has_footer) + size
    return content[at:]


def _framed(content: bytes) -> str | None:
    """Files without a header: each frame begins with eleven or twelve ones."""
    if len(content) < 4 or content[0] != 0xFF or content[1] & 0xE0 != 0xE0:
        return None
    layer = content[1] & 0x06
    if layer:
        return "mp3"
    return "aac" if content[1] & 0xF0 == 0xF0 else None
