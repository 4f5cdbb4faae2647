"""What Chromium's own MediaRecorder makes of a microphone becomes a recording."""

import base64

import pytest

from app.voices.containers import container_of
from app.voices.decoder_process import decode_upload
from tests.support.audio_samples import spoken_vowels
from tests.support.browser import browser_page, needs_chromium
from tests.support.hostile_uploads import encoded

pytestmark = [pytest.mark.long, needs_chromium]

SECONDS = 8
RECORD = """
async ([type, seconds]) => {
    const plain = {echoCancellation: false, noiseSuppression: false, autoGainControl: false};
    const stream = await navigator.mediaDevices.getUserMedia({audio: plain});
    const recorder = new MediaRecorder(stream, {mimeType: type});
    const parts = [];
    recorder.ondataavailable = event => parts.push(event.data);
    const stopped = new Promise(resolve => recorder.onstop = resolve);
    recorder.start(1000);  // a part each second, as pages that show a meter do
    await new Promise(resolve => setTimeout(resolve, seconds * 1000));
    recorder.stop();
    await stopped;
    const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    return btoa(text);
}
"""


def recorded(microphone, kind):
    switches = (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={microphone}",
    )
    with browser_page(640, 480, *switches) as page:
        url = "https://recorder.test/"  # a microphone needs a secure origin
        page.route(url, lambda route: route.fulfill(body="<html></html>", content_type="text/html"))
        page.goto(url)
        return base64.b64decode(page.evaluate(RECORD, [kind, SECONDS]))


@pytest.mark.parametrize(
    ("kind", "container"),
    [("audio/webm;codecs=opus", "matroska"), ("audio/mp4;codecs=opus", "mov")],
)
def test_what_media_recorder_makes_of_a_microphone_is_taken(tmp_path, kind, container):
    microphone = tmp_path / "microphone.wav"
    microphone.write_bytes(encoded(spoken_vowels(3, 12.0, 48_000), 48_000))
    content = recorded(microphone, kind)
    assert container_of(content) == container
    wav, heard = decode_upload(content)
    assert len(wav) / 24_000 == pytest.approx(SECONDS, abs=1.5)
    assert heard.speech_s > 5
