"""cartesia's SDK, unmodified: what it hears of a server. python -m interop.checks.cartesia_sdk URL;
prints one JSON object."""

import json
import sys

from cartesia import APIStatusError, Cartesia

VOICE = {"mode": "id", "id": "6ccbfb76-1fc6-48f7-b71d-91ac6298247b"}
PCM = {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 24_000}
TEXT = "Hello there, this is a longer sentence. "


def main(url: str) -> dict[str, object]:
    client = Cartesia(api_key="any", base_url=url, websocket_base_url=url.replace("http", "ws"))
    heard: dict[str, object] = {}
    with client.tts.websocket_connect() as connection:

        def context(**changes):
            options = {"model_id": "sonic-latest", "voice": VOICE, "timeout": 10, **changes}
            return connection.context(**options)

        spoken = context(output_format=PCM)
        for text in ("Hello there. ", "How are you?"):
            spoken.push(text)
        spoken.no_more_inputs()
        events = list(spoken.receive())
        heard["seconds"] = sum(len(e.audio) for e in events if e.type == "chunk") / 48_000
        heard["ends"] = events[-1].type

        default = context()
        default.push("Hello there.")
        default.no_more_inputs()
        sound = b"".join(e.audio for e in default.receive() if e.type == "chunk")
        heard["default_seconds"] = round(len(sound) / 4 / 44_100, 2)

        stopped = context(output_format=PCM)
        stopped.push(TEXT)
        for event in stopped.receive():
            if event.type == "chunk":
                stopped.cancel()
        heard["ends_after_cancel"] = True

        unknown = context(output_format=PCM, voice={"id": "nobody"})
        unknown.push(TEXT)
        unknown.no_more_inputs()
        heard["unknown_voice"] = [e.error_code for e in unknown.receive() if e.type == "error"]
    asked = {"model_id": "sonic-3.5", "transcript": "Hello there.", "output_format": PCM}
    heard["bytes"] = len(client.tts.generate(voice=VOICE, **asked).read())
    heard["events"] = [event.type for event in client.tts.generate_sse(voice=VOICE, **asked)][-1]
    try:
        client.tts.generate(voice="nobody", **asked)
    except APIStatusError as error:
        heard["refused"] = error.status_code
    return heard


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1])) + "\n")
