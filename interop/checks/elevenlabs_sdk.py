"""elevenlabs' SDK: what it hears of a server. python -m interop.checks.elevenlabs_sdk URL; prints
one JSON object. The SDK forces TLS on its socket, so its address is set in a private attribute."""

import base64
import json
import sys

from elevenlabs.client import ElevenLabs
from elevenlabs.core.api_error import ApiError

VOICE = "21m00Tcm4TlvDq8ikWAM"
PCM = "pcm_24000"


def main(url: str) -> dict[str, object]:
    client = ElevenLabs(api_key="any", base_url=url)
    speech = client.text_to_speech
    speech._ws_base_url = url.replace("http", "ws")
    asked = {"text": "Hello there.", "model_id": "eleven_multilingual_v2"}
    heard: dict[str, object] = {
        "file": b"".join(speech.convert(VOICE, **asked))[:1].hex(),
        "stream": len(b"".join(speech.stream(VOICE, output_format=PCM, **asked))),
        "timed": sum(
            len(base64.b64decode(each.audio_base_64))
            for each in speech.stream_with_timestamps(VOICE, output_format=PCM, **asked)
        ),
        "voices": [voice.voice_id for voice in client.voices.get_all().voices],
    }
    texts = iter(["Hello ", "there. ", "How are you?"])
    heard["realtime"] = len(b"".join(speech.convert_realtime(VOICE, text=texts, output_format=PCM)))
    try:
        b"".join(speech.convert("nobody", **asked))
    except ApiError as error:
        heard["refused"] = [error.status_code, error.body["detail"]["status"]]
    return heard


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1])) + "\n")
