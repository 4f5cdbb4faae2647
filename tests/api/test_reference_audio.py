"""`reference_audio` is taken in every form of base64, and a URL or a path is refused as such."""

import base64

import pytest

from app.api.reference_audio import MAX_CHARS, recording_of
from app.errors import BadRequest
from app.voices.recordings import MAX_BYTES

SAMPLE = bytes(range(256)) * 5 + b"x"  # with padding, and characters of both alphabets
PLAIN = base64.b64encode(SAMPLE).decode()
URL_SAFE = base64.urlsafe_b64encode(SAMPLE).decode()


def wrapped(line_end, text=PLAIN):
    return line_end.join(text[at : at + 76] for at in range(0, len(text), 76))


@pytest.mark.parametrize(
    "field",
    [
        PLAIN,
        PLAIN + "\n",
        f"\n  {PLAIN}\r\n",
        PLAIN.rstrip("="),
        wrapped("\n"),
        wrapped("\r\n") + "\r\n",
        URL_SAFE,
        URL_SAFE.rstrip("="),
        wrapped("\n", URL_SAFE),
        f"data:audio/wav;base64,{PLAIN}",
        f"data:audio/webm;codecs=opus;base64,{PLAIN}",
        f"DATA:;BASE64,{URL_SAFE}",
        f"data:audio/ogg; codecs=opus;base64,{wrapped(chr(10))}",
    ],
)
def test_every_form_of_base64_gives_the_same_recording(field):
    assert recording_of(field) == SAMPLE


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ("https://example.com/voice.wav", "URL"),
        ("HTTP://example.com", "URL"),
        ("file:///etc/passwd", "URL"),
        ("s3://bucket/voice.wav", "URL"),
        ("data:audio/wav,plain", "URL"),
        ("/home/ann/voice.wav", "path"),
        ("./voice.wav", "path"),
        ("../voice.m4a", "path"),
        ("~/recordings/voice.mp3", "path"),
        ("voice.wav", "path"),
        ("my voice.wav", "path"),
        ("C:\\voices\\ann.wav", "path"),
        ("\\\\server\\ann", "path"),
        ("/etc/passwd/", "path"),
    ],
)
def test_a_url_or_a_path_is_refused_as_such(field, kind):
    with pytest.raises(BadRequest, match=f"the value is a {kind}, and the server opens none") as it:
        recording_of(field)
    assert it.value.param == "reference_audio"


@pytest.mark.parametrize("field", ["not base64!", "ÄÖÜ", "AAAAA", "=", "data:;base64,", ""])
def test_what_is_no_base64_or_empty_is_refused(field):
    with pytest.raises(BadRequest, match=r"not valid base64|must have 1 to"):
        recording_of(field)


def test_a_recording_of_the_largest_size_may_be_wrapped():
    text = base64.b64encode(bytes(MAX_BYTES)).decode()
    in_json = wrapped("\\r\\n", text)
    assert len(in_json) <= MAX_CHARS
    with pytest.raises(BadRequest, match="must have 1 to"):
        recording_of(base64.b64encode(bytes(MAX_BYTES + 1)).decode())
