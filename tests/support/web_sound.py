"""What the page's audio thread plays, sample by sample: a second worklet behind the player's."""

import base64

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

CAPTURE = """
class Capture extends AudioWorkletProcessor {
    constructor() {
        super();
        this.parts = [];
        this.port.onmessage = () => {
            this.port.postMessage(this.parts);
            this.parts = [];
        };
    }

    process([input]) {
        if (input.length > 0) this.parts.push(Int16Array.from(input[0], (value) => value * 32768));
        return true;
    }
}
registerProcessor("capture", Capture);
"""
LISTEN = """async () => {
    const { page } = await import("/play/main.js");
    await page.player.open(24000);
    const { context, node } = page.player;
    await context.audioWorklet.addModule("/play/capture.js");
    window.capture = new AudioWorkletNode(context, "capture");
    node.connect(window.capture);
    window.capture.connect(context.destination);  // it puts out silence
}"""
HEARD = """async () => {
    const parts = await new Promise((resolve) => {
        window.capture.port.onmessage = ({ data }) => resolve(data);
        window.capture.port.postMessage("all");
    });
    let text = "";
    for (const part of parts) {
        text += String.fromCharCode(...new Uint8Array(part.buffer));
    }
    return btoa(text);
}"""


def with_capture(app: ASGIApp) -> ASGIApp:
    """`proxied` of a server whose page is listened to. Playwright routes no request of an
    AudioWorklet (findings/playwright_audio_worklet_unseen.sh), and the page's policy allows no
    script from elsewhere."""

    async def proxied(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/play/capture.js":
            await Response(CAPTURE, media_type="text/javascript")(scope, receive, send)
        else:
            await app(scope, receive, send)

    return proxied


def listen(page: Page) -> None:
    """From now on what the page plays is kept for `heard`."""
    page.evaluate(LISTEN)


def heard(page: Page) -> NDArray[np.int16]:
    """All samples since `listen` or the last `heard`, silence included."""
    return np.frombuffer(base64.b64decode(page.evaluate(HEARD)), dtype=np.int16)


def sound_of(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """Without the silence before and after it."""
    loud = np.flatnonzero(samples)
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples[:0]
