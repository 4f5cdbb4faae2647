"""Recordings in the containers that browsers, phones and chat programs write, made with PyAV."""

import io
from typing import NamedTuple

import av
import numpy as np

RATE = 24_000


class Container(NamedTuple):
    """FFmpeg's names. `seekable`: it writes lengths into its header at the end."""

    format: str
    codec: str
    rate: int = 48_000
    options: tuple[tuple[str, str], ...] = ()


# Who sends it -> what it is.
CONTAINERS = {
    "Chrome, Edge, Firefox (WebM, Opus)": Container("webm", "libopus"),
    "Safari (MP4, AAC)": Container(
        "mp4", "aac", 44_100, (("movflags", "frag_keyframe+empty_moov+default_base_moof"),)
    ),
    "iPhone (M4A, AAC)": Container("ipod", "aac", 44_100),
    "iPhone, lossless (M4A, ALAC)": Container("ipod", "alac", 44_100),
    "Android, AAC in ADTS": Container("adts", "aac", 16_000),
    "Android, AMR": Container("amr", "libopencore_amrnb", 8000),
    "Android, 3GP with AMR": Container("3gp", "libopencore_amrnb", 8000),
    "Android, 3GP with AAC": Container("3gp", "aac", 16_000),
    "macOS (CAF, PCM)": Container("caf", "pcm_s16le", 44_100),
    "macOS (CAF, ALAC)": Container("caf", "alac", 44_100),
    "QuickTime (MOV, PCM)": Container("mov", "pcm_s16le", 44_100),
    "WhatsApp, Telegram (Ogg, Opus)": Container("ogg", "libopus"),
    "OBS (Matroska, AAC)": Container("matroska", "aac"),
    "mp3 with a tag": Container("mp3", "libmp3lame", 24_000, (("id3v2_version", "3"),)),
    "flac": Container("flac", "flac", 24_000),
    "wav": Container("wav", "pcm_s16le", 44_100),
    "wav of 32 bit floats": Container("wav", "pcm_f32le"),
    "wav of a telephone (mu-law)": Container("wav", "pcm_mulaw", 8000),
}


class _Unseekable(io.RawIOBase):
    """As a pipe: what is written stays as it is."""

    def __init__(self):
        self.written = bytearray()

    def write(self, content):
        self.written += content
        return len(content)

    def writable(self):
        return True

    def seekable(self):
        return False


def contained(samples, container, *, rate=RATE, layout="mono", streamed=False):
    """The file. `samples`: (samples,) or (channels, samples) at `rate`. `streamed`: as written to a
    pipe, so that no header has a length."""
    file = _Unseekable() if streamed else io.BytesIO()
    samples = np.atleast_2d(np.asarray(samples, np.float32))
    if samples.shape[1]:
        source = av.AudioFrame.from_ndarray(samples.T.reshape(1, -1).copy(), "flt", layout)
        source.sample_rate = rate
    with av.open(file, "w", format=container.format, options=dict(container.options)) as out:
        stream = out.add_stream(container.codec, container.rate)
        stream.codec_context.layout = layout
        out.start_encoding()
        if samples.shape[1]:
            to_codec = av.AudioResampler(
                format=stream.codec_context.format, layout=layout, rate=container.rate
            )
            for frame in (*to_codec.resample(source), *to_codec.resample(None)):
                out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return bytes(file.written) if streamed else file.getvalue()


def picture(container_format, codec="mjpeg", pixels="yuvj420p"):
    """A file with a moving picture and no sound."""
    file = io.BytesIO()
    with av.open(file, "w", format=container_format) as out:
        stream = out.add_stream(codec, 1)
        stream.width = stream.height = 16
        stream.pix_fmt = pixels
        for _ in range(2):
            out.mux(stream.encode(av.VideoFrame(16, 16, pixels)))
        out.mux(stream.encode(None))
    return file.getvalue()
