"""The page's JavaScript client by itself, in a real Chromium."""

import pytest

TRANSPORTS = ("socket", "events")
EACH_TRANSPORT = ("socket", pytest.param("events", marks=pytest.mark.long))
PRELUDE = """async (a) => {
    const { SpeechClient } = await import("/play/client.js");
    const connected = (options = {}) =>
        new SpeechClient({ key: a.key, transport: a.transport, ...options });
    const begun = async (client, options = {}) => {
        const speech = await client.speak({ voice: "default", ...options });
        speech.heard = [];
        speech.kinds = [];
        speech.wordsTold = [];
        for (const kind of ["started", "audio", "words", "flushed", "refused", "end"]) {
            speech.addEventListener(kind, ({ detail }) => {
                if (speech.kinds.at(-1) !== kind) speech.kinds.push(kind);
                if (kind === "audio") speech.heard.push(...detail.bytes);
                if (kind === "words") speech.wordsTold.push(...detail.words);
                if (kind === "started") speech.told = detail;
                if (kind === "refused") speech.refusal = detail.error.code;
            });
        }
        return speech;
    };
    const sound = (speech) => btoa(String.fromCharCode(...speech.heard));
    const until = (speech, kind) => new Promise((resolve) =>
        speech.addEventListener(kind, ({ detail }) => resolve(detail), { once: true }));
"""


class Sides:
    """A page of a server, and the server's synthesizer."""

    def __init__(self, page, speaker):
        self.page = page
        self.speaker = speaker

    def run(self, script, **argument):
        return self.page.evaluate(f"{PRELUDE}{script}}}", argument)


def without_sockets(app):
    """As a proxy that forbids sockets."""

    async def proxied(scope, receive, send):
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        else:
            await app(scope, receive, send)

    return proxied
